using AspNetCoreGeneratedDocument;
using Microsoft.AspNetCore.Http;
using RazorSlices;
using Shop.Platform.Http;
using Shop.Platform.Pages;

namespace Shop.Platform.Faults;

/// <summary>The part of the console that starts and ends faults and scenarios.</summary>
internal sealed class TroublePanel(FaultSwitch faults, ScenarioPlayer player, ShopSettings settings)
{
    /// <summary>Maps the target of its forms.</summary>
    public void Map(ModuleRoutes routes) =>
        routes.Form("/live/trouble", http => ModuleRoutes.InTurnAsync(ChangeAsync, http));

    /// <summary>The panel as this client sees it; null if the settings allow no faults.</summary>
    public RazorSlice? For(HttpContext http) => !faults.Faults.IsOn ? null : new Pages_Trouble
    {
        // What this shop can't make would only be in the way.
        Model = new TroubleModel(
            [.. faults.Faults.All.Where(fault => faults.Faults.RefusalReason(fault.Definition) is null)],
            [.. player.All.Select(scenario => (scenario, player.StartOf(scenario)))], RefusalReason(http)),
    };

    private string? RefusalReason(HttpContext http) => settings.ApiKeys.Any && !Site.Of(http).AcceptsForms
        ? "Trouble on demand needs a key that may write." : FaultRoutes.RefusalReason(http, settings);

    private async ValueTask<IResult> ChangeAsync(HttpContext http)
    {
        if (RefusalReason(http) is { } why) return new Problem(StatusCodes.Status403Forbidden, why);
        IFormCollection form = await http.Request.ReadFormAsync();
        string action = form["action"].ToString();
        if (action is not ("start" or "end")) return Invalid("The action must be start or end.");
        Problem? problem = form.ContainsKey("scenario") ? Play(http, form, action) : Switch(http, form, action);
        return problem ?? Page.SeeOther("/live");
    }

    private Problem? Play(HttpContext http, IFormCollection form, string action)
    {
        string name = form["scenario"].ToString();
        if (player.All.FirstOrDefault(scenario => scenario.Name == name) is not { } scenario)
            return Problem.NotFound("scenario", name);
        if (action == "end") player.End();
        else player.Play(scenario, http.Request.Headers.Authorization);
        return null;
    }

    private Problem? Switch(HttpContext http, IFormCollection form, string action)
    {
        string name = form["fault"].ToString();
        if (faults.Faults.Find(name) is not { } fault) return Problem.NotFound("fault", name);
        if (action == "end")
        {
            faults.End(fault);
            return null;
        }

        FaultDefinition definition = fault.Definition;
        if (faults.Faults.RefusalReason(definition) is { } why) return Invalid(why);
        (decimal? intensity, long? seconds) = (definition.Default, FaultRoutes.Duration.Default);
        if (form.TryGetValue("intensity", out var amount)
            && (FaultRoutes.Intensity.Read(amount.ToString(), out intensity) is not null
                || !definition.Allows(intensity!.Value)))
            return Invalid($"The intensity must be {definition.Range} ({definition.Unit}).");
        if (form.TryGetValue("duration_seconds", out var time)
            && FaultRoutes.Duration.Read(time.ToString(), out seconds) is { } wrong)
            return Invalid($"The duration {wrong}.");
        faults.Start(fault, intensity!.Value, TimeSpan.FromSeconds(seconds!.Value),
            authorization: http.Request.Headers.Authorization);
        return null;
    }

    private static Problem Invalid(string error) => new(StatusCodes.Status400BadRequest, error);
}

/// <summary>What the panel shows.</summary>
internal sealed record TroubleModel(
    IReadOnlyList<Fault> Faults, IReadOnlyList<(Scenario Scenario, DateTimeOffset? StartedAt)> Scenarios,
    string? RefusalReason);
