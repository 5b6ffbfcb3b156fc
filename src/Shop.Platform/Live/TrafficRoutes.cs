using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Http;
using Shop.Platform.OpenApi;
using Shop.Platform.Requests;

namespace Shop.Platform.Live;

/// <summary>Demo traffic over HTTP: the same on each port.</summary>
internal sealed class TrafficRoutes(DemoTraffic traffic)
{
    private const string Tag = "Demo traffic";

    private const string Example = """
        {"rate":1,"shape":"constant","wanted":1.0,"answered":0.98,"ends_at":"2026-01-31T12:00:01.000Z"}
        """;

    private static readonly WholeNumberField Rate = new("rate", 1, DemoTraffic.MaxRate)
    {
        Description = "Requests a second on all services together: the highest of the shape.",
        Example = "1",
        IsRequired = true,
    };

    private static readonly TextField Shape = new("shape", 1, 20)
    {
        Description = "How the rate changes with time. constant: not at all. day: from a fifth to all of it and back "
            + "in five minutes. spikes: a quarter, and all for ten seconds of each minute. outage: half, nothing for "
            + "half a minute of every two, and then all.",
        Example = "\"constant\"",
        Choices = TrafficShape.Names,
        ChoicesSchema = nameof(TrafficShape),
        Default = TrafficShape.Constant.Name,
    };

    private static readonly WholeNumberField Duration = new("duration_seconds", 1, 86_400)
    {
        Description = "Seconds after which it ends by itself.",
        Example = "1",
        Default = (long)DemoTraffic.DefaultDuration.TotalSeconds,
    };

    public void Map(ModuleRoutes routes)
    {
        routes.OfService(HttpMethods.Get, "/traffic", _ => ValueTask.FromResult(State()))
            .WithName("getTraffic").WithTags(Tag).WithSummary("Read the demo traffic")
            .WithDescription("What runs, and what came of it in the last five seconds. It is the same on each port.")
            .Produces<TrafficBody>(200, "What runs; the rate is 0 if nothing does.", Example);
        routes.OfService(HttpMethods.Put, "/traffic", http => ValueTask.FromResult(Start(http)))
            .WithBody("StartTrafficRequest", [Rate, Shape, Duration])
            .WithName("startTraffic").WithTags(Tag).WithSummary("Start demo traffic, or change it")
            .WithDescription("The shop sends requests to itself, in the name of the client that starts it: mostly "
                + "reads, some orders, and now and then a request that must be refused.")
            .Produces<TrafficBody>(200, "It runs.", Example);
        routes.OfService(HttpMethods.Delete, "/traffic", _ =>
            {
                traffic.Stop();
                return ValueTask.FromResult<IResult>(NoContent.Done);
            })
            .WithName("endTraffic").WithTags(Tag).WithSummary("End demo traffic")
            .WithDescription("Nothing happens if none runs.")
            .Produces(204, "None runs.");
    }

    private IResult Start(HttpContext http)
    {
        if (RequestBody.IsAbsent(http))
        {
            var missing = new ValidationErrors();
            missing.Add(Rate.Name, "is required");
            return Problem.Invalid(missing);
        }

        using RequestBody body = RequestBody.Read(http);
        long? rate = body.Root.Read(Rate);
        string? shape = body.Root.Read(Shape);
        long? seconds = body.Root.Read(Duration);
        if (body.Error is { } error) return error;
        traffic.Start((int)rate!.Value, http.Request.Headers.Authorization, TrafficShape.Find(shape),
            TimeSpan.FromSeconds(seconds!.Value));
        return State();
    }

    private IResult State() => JsonResponse.Ok(TrafficBody.Of(traffic.State), TrafficJson.Default.TrafficBody);
}

/// <summary>Demo traffic as clients see it.</summary>
internal sealed record TrafficBody(
    int Rate, [property: OneOf<TrafficShape>] string? Shape, double? Wanted, double? Answered, UtcTime? EndsAt)
{
    public static TrafficBody Of(TrafficState? state) => state is null ? new TrafficBody(0, null, null, null, null)
        : new TrafficBody(state.Rate, state.Shape.Name, Rounded(state.Wanted), Rounded(state.Answered),
            UtcTime.Of(state.EndsAt));

    private static double? Rounded(double? value) => value is { } number ? Math.Round(number, 2) : null;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(TrafficBody))]
internal sealed partial class TrafficJson : JsonSerializerContext;
