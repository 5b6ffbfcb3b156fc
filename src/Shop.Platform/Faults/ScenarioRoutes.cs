using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Shop.Platform.Http;

namespace Shop.Platform.Faults;

/// <summary>Scenarios over HTTP: the same on each port.</summary>
internal sealed class ScenarioRoutes(ScenarioPlayer player, ShopSettings settings)
{
    private const string Tag = "Service";

    private const string Example = """
        {"name":"presentation","description":"Ten minutes to talk about.","seconds":600,"active":true,
        "started_at":"2026-01-31T12:00:00.000Z","ends_at":"2026-01-31T12:10:00.000Z","steps":[
        {"at":0,"traffic":60,"fault":null,"intensity":null,"seconds":null},
        {"at":60,"traffic":null,"fault":"slow_commits","intensity":0.4,"seconds":60}]}
        """;

    public void Map(ModuleRoutes routes)
    {
        routes.OfService(HttpMethods.Get, "/scenarios", _ => ValueTask.FromResult(List()))
            .WithName("listScenarios").WithTags(Tag).WithSummary("List the scenarios")
            .WithDescription("Timetables of faults and traffic. The list is the same on each port.")
            .Produces<ScenarioBody[]>(200, "All of them.", $"[{Example}]");
        routes.OfService(HttpMethods.Put, "/scenarios/{name}", http => ValueTask.FromResult(Play(http)))
            .WithPathExample("presentation")
            .WithName("playScenario").WithTags(Tag).WithSummary("Play a scenario")
            .WithDescription("From its beginning, in place of any other; faults that run end. If the shop has no "
                + "keys, only a client on its own machine may play it.")
            .Produces<ScenarioBody>(200, "It is being played.", Example)
            .ProducesProblem(404, "There is no such scenario.");
        routes.OfService(HttpMethods.Delete, "/scenarios", http => ValueTask.FromResult(End(http)))
            .WithName("endScenario").WithTags(Tag).WithSummary("End the scenario")
            .WithDescription("With its faults and its traffic. Nothing happens if none is being played.")
            .Produces(204, "None is being played.");
    }

    private IResult List() =>
        JsonResponse.Ok([.. player.All.Select(Body)], ScenarioBodiesJson.Default.ScenarioBodyArray);

    private IResult Play(HttpContext http)
    {
        if (FaultRoutes.Refusal(http, settings) is { } refusal) return refusal;
        string name = (string)http.GetRouteValue("name")!;
        if (player.All.FirstOrDefault(scenario => scenario.Name == name) is not { } scenario)
            return Problem.NotFound("scenario", name, "/scenarios");
        player.Play(scenario, http.Request.Headers.Authorization);
        return JsonResponse.Ok(Body(scenario), ScenarioBodiesJson.Default.ScenarioBody);
    }

    private IResult End(HttpContext http)
    {
        if (FaultRoutes.Refusal(http, settings) is { } refusal) return refusal;
        player.End();
        return NoContent.Done;
    }

    private ScenarioBody Body(Scenario scenario)
    {
        DateTimeOffset? start = player.StartOf(scenario);
        UtcTime? Time(DateTimeOffset? at) => at is null ? null : UtcTime.Of(at.Value);
        return new ScenarioBody(scenario.Name, scenario.Description, (int)scenario.Length.TotalSeconds,
            start is not null, Time(start), Time(start + scenario.Length),
            [.. scenario.Steps.Select(step =>
                new ScenarioStepBody(step.At, step.Traffic, step.Name, step.Intensity, step.Seconds))]);
    }
}

/// <summary>A scenario as clients see it.</summary>
internal sealed record ScenarioBody(
    string Name, string Description, int Seconds, bool Active, UtcTime? StartedAt, UtcTime? EndsAt,
    IReadOnlyList<ScenarioStepBody> Steps);

/// <summary>A step of a scenario as clients see it.</summary>
internal sealed record ScenarioStepBody(int At, int? Traffic, string? Fault, decimal? Intensity, int? Seconds);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ScenarioBody))]
[JsonSerializable(typeof(ScenarioBody[]))]
internal sealed partial class ScenarioBodiesJson : JsonSerializerContext;
