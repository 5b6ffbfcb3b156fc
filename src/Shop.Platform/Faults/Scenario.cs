using System.Text.Json;
using System.Text.Json.Serialization;
using Shop.Platform.Live;

namespace Shop.Platform.Faults;

/// <summary>A script of faults and traffic by time, the same each time it is played.</summary>
/// <param name="Name">Its name in the API.</param>
/// <param name="Description">What it shows, in a line.</param>
/// <param name="Steps">What happens, in the order of its times.</param>
internal sealed record Scenario(string Name, string Description, IReadOnlyList<ScenarioStep> Steps)
{
    private const string Resource = "scenarios.json";

    /// <summary>When its last fault has ended.</summary>
    public TimeSpan Length => TimeSpan.FromSeconds(Steps.Max(step => step.At + (step.Seconds ?? 0)));

    /// <summary>
    /// The shop's own scenarios, and those of a file; a scenario of the file replaces the shop's own of that name.
    /// </summary>
    /// <param name="file">The file; null if there is none.</param>
    /// <param name="faults">The faults that they may name.</param>
    /// <exception cref="ShopStartException">The file can't be read, or is not valid.</exception>
    public static IReadOnlyList<Scenario> Read(string? file, FaultCatalogue faults)
    {
        using Stream own = typeof(Scenario).Assembly.GetManifestResourceStream(Resource)!;
        IReadOnlyList<Scenario> all = JsonSerializer.Deserialize(own, ScenariosJson.Default.ScenarioArray)!;
        if (file is not null)
        {
            Scenario[] others = Parse(file);
            all = [.. all.Where(scenario => others.All(other => other.Name != scenario.Name)), .. others];
        }

        foreach (Scenario scenario in all)
        {
            if (scenario.Error(faults) is { } error)
                throw new ShopStartException($"Shop:ScenarioFile {file}: {error}");
        }

        return all;
    }

    private static Scenario[] Parse(string file)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(file), ScenariosJson.Default.ScenarioArray) ?? [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new ShopStartException($"Shop:ScenarioFile {file} can't be read: {exception.Message}", exception);
        }
    }

    // The error in it; null if there is none.
    private string? Error(FaultCatalogue faults)
    {
        if (Name is not { Length: > 0 } || !Name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '-'))
            return $"the name '{Name}' must be of letters, digits and hyphens";
        if (Description is null) return $"{Name} has no description";
        if (Steps is not { Count: > 0 }) return $"{Name} has no steps";
        for (int i = 0; i < Steps.Count; i++)
        {
            if (Steps[i].Error(faults) is { } error) return $"step {i + 1} of {Name} {error}";
            if (i > 0 && Steps[i].At < Steps[i - 1].At) return $"step {i + 1} of {Name} is before step {i}";
        }

        return null;
    }
}

/// <summary>A step of a scenario: it starts a fault, or sets the demo traffic.</summary>
/// <param name="At">When, in seconds since its start.</param>
/// <param name="Traffic">Demo traffic from then on, in requests a second; 0 ends it.</param>
/// <param name="Name">The fault that begins then.</param>
/// <param name="Intensity">How much; the fault's default if it is missing.</param>
/// <param name="Seconds">How long.</param>
internal sealed record ScenarioStep(
    int At, int? Traffic, [property: JsonPropertyName("fault")] string? Name, decimal? Intensity, int? Seconds)
{
    private const int MaxSeconds = 7 * 24 * 3600;

    /// <summary>The error in it; null if there is none.</summary>
    public string? Error(FaultCatalogue faults)
    {
        if (At < 0) return "is before the start";
        if (At > MaxSeconds) return "is more than a week after the start";
        if (Traffic is null == Name is null) return "must have either traffic or a fault";
        if (Traffic is < 0 or > DemoTraffic.MaxRate) return $"must have traffic from 0 to {DemoTraffic.MaxRate}";
        if (Name is null) return null;
        if (faults.Find(Name)?.Definition is not { } definition) return $"names '{Name}', which is no fault";
        if (faults.RefusalReason(definition) is { } why) return $"can't be played: {why}";
        if (Seconds is not (>= 1 and <= 3600)) return "must have seconds from 1 to 3600";
        return Intensity is { } intensity && !definition.Allows(intensity)
            ? $"must have an intensity that is {definition.Range}" : null;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true)]
[JsonSerializable(typeof(Scenario[]))]
internal sealed partial class ScenariosJson : JsonSerializerContext;
