using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Shop.Platform.Http;
using Shop.Platform.Requests;
using Shop.Platform.Security;

namespace Shop.Platform.Faults;

/// <summary>Trouble on demand over HTTP: the same on each port.</summary>
internal sealed class FaultRoutes(FaultSwitch faults, ShopSettings settings)
{
    private const string Tag = "Service";

    private const string Example = """
        {"name":"slow_answers","description":"Each answer comes so many seconds later.","unit":"seconds",
        "min":0.001,"max":10,"default":0.5,"active":true,"intensity":0.01,"ends_at":"2026-01-31T12:05:00.000Z",
        "route":null}
        """;

    public static readonly NumberField Intensity = new("intensity", 0, 1000)
    {
        Description = "How much, in the fault's unit, from its min to its max. If it is missing, it is the fault's "
            + "default.",
        Example = "0.01",
    };

    /// <summary>The longest run of a fault.</summary>
    public static readonly TimeSpan MaxDuration = TimeSpan.FromHours(1);

    public static readonly WholeNumberField Duration = new("duration_seconds", 1, (long)MaxDuration.TotalSeconds)
    {
        Description = "Seconds after which it ends by itself.",
        Example = "60",
        Default = 300,
    };

    private static readonly TextField Route = new("route", 1, 100)
    {
        Description = "The one route that slow_answers or failing_answers strikes, as the label endpoint of the "
            + "metrics names it. If it is missing, each route of the API is struck.",
        Example = "\"/example/{id}\"",
        IsInRequestExample = false,
    };

    private static readonly IReadOnlyList<Field> Body = [Intensity, Duration, Route];

    /// <summary>Why a client may not start faults; null if it may. Its key has been checked before.</summary>
    public static string? RefusalReason(HttpContext http, ShopSettings settings) =>
        settings.ApiKeys.Any || LocalRequest.IsLocal(http, settings) ? null
            : "Trouble on demand needs a key that may write (Shop:ApiKeys); without keys, a client on the shop's own "
                + "machine, and neither Shop:TrustedProxies nor a PublicUrl in the settings.";

    /// <summary>The answer to a client that may not start faults; null if it may.</summary>
    public static Problem? Refusal(HttpContext http, ShopSettings settings) => RefusalReason(http, settings) is { } why
        ? new Problem(StatusCodes.Status403Forbidden, why) : null;

    public void Map(ModuleRoutes routes)
    {
        routes.OfService(HttpMethods.Get, "/faults", _ => ValueTask.FromResult(List()))
            .WithName("listFaults").WithTags(Tag).WithSummary("List the faults")
            .WithDescription("The faults that this shop can have on demand, and which of them run. The list is the "
                + "same on each port.")
            .Produces<FaultBody[]>(200, "All of them.", $"[{Example}]");
        routes.OfService(HttpMethods.Put, "/faults/{name}", http => ValueTask.FromResult(Start(http)))
            .WithBody("StartFaultRequest", Body).WithPathExample("slow_answers")
            .WithName("startFault").WithTags(Tag).WithSummary("Start a fault")
            .WithDescription("It begins anew if it runs already. A request without a body is the same as {}. If the "
                + "shop has no keys, only a client on its own machine may start a fault.")
            .Produces<FaultBody>(200, "It runs.", Example)
            .ProducesProblem(404, "There is no such fault.");
        routes.OfService(HttpMethods.Delete, "/faults/{name}", http => ValueTask.FromResult(End(http)))
            .WithPathExample("slow_answers")
            .WithName("endFault").WithTags(Tag).WithSummary("End a fault")
            .WithDescription("Nothing happens if it does not run.")
            .Produces(204, "It does not run.")
            .ProducesProblem(404, "There is no such fault.");
        routes.OfService(HttpMethods.Delete, "/faults", http => ValueTask.FromResult(EndAll(http)))
            .WithName("endFaults").WithTags(Tag).WithSummary("End all faults")
            .WithDescription("Nothing happens if none runs.")
            .Produces(204, "None runs.");
    }

    private IResult List() =>
        JsonResponse.Ok([.. faults.Faults.All.Select(FaultBody.Of)], FaultsJson.Default.FaultBodyArray);

    private IResult Start(HttpContext http)
    {
        if (Refusal(http, settings) is { } refusal) return refusal;
        using RequestBody? body = RequestBody.IsAbsent(http) ? null : RequestBody.Read(http);
        decimal? intensity = body?.Root.Read(Intensity);
        long seconds = (body is null ? Duration.Default : body.Root.Read(Duration))!.Value;
        string? route = body?.Root.Read(Route);
        if (body?.Error is { } error) return error;
        if (Find(http, out Problem? unknown) is not { } fault) return unknown!;

        FaultDefinition definition = fault.Definition;
        if (faults.Faults.RefusalReason(definition) is { } why)
            return new Problem(StatusCodes.Status400BadRequest, why);
        if (intensity is { } wanted && !definition.Allows(wanted))
        {
            body!.Errors.Add(Intensity.Name,
                $"must be {definition.Range} for {definition.Name} ({definition.Unit})");
        }

        if (route is not null && !definition.HasRoute)
            body!.Errors.Add(Route.Name, $"must be left out: {definition.Name} can't be limited to a route");
        else if (route is not null && !faults.Faults.Responses.HasRoute(route))
            body!.Errors.Add(Route.Name, "must be a route of the API, as the label endpoint of the metrics names it");
        if (body?.Error is { } outside) return outside;

        FaultRun run = faults.Start(fault, intensity ?? definition.Default, TimeSpan.FromSeconds(seconds), route,
            http.Request.Headers.Authorization);
        return JsonResponse.Ok(FaultBody.Of(fault, run), FaultsJson.Default.FaultBody);
    }

    private IResult End(HttpContext http)
    {
        if (Refusal(http, settings) is { } refusal) return refusal;
        if (Find(http, out Problem? unknown) is not { } fault) return unknown!;
        faults.End(fault);
        return NoContent.Done;
    }

    private IResult EndAll(HttpContext http)
    {
        if (Refusal(http, settings) is { } refusal) return refusal;
        faults.EndAll();
        return NoContent.Done;
    }

    private Fault? Find(HttpContext http, out Problem? unknown)
    {
        string name = (string)http.GetRouteValue("name")!;
        Fault? fault = faults.Faults.Find(name);
        unknown = fault is null ? Problem.NotFound("fault", name, "/faults") : null;
        return fault;
    }
}

/// <summary>A fault as clients see it.</summary>
internal sealed record FaultBody(
    string Name, string Description, string Unit, decimal Min, decimal Max, decimal Default, bool Active,
    decimal Intensity, UtcTime? EndsAt, string? Route)
{
    public static FaultBody Of(Fault fault) => Of(fault, fault.Run);

    public static FaultBody Of(Fault fault, FaultRun? run)
    {
        FaultDefinition definition = fault.Definition;
        return new FaultBody(definition.Name, definition.Description, definition.Unit, definition.Min, definition.Max,
            definition.Default, run is not null, run?.Intensity ?? 0,
            run is null ? null : UtcTime.Of(run.EndsAt), run?.Route);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(FaultBody))]
[JsonSerializable(typeof(FaultBody[]))]
internal sealed partial class FaultsJson : JsonSerializerContext;
