using System.Text.Json.Serialization;
using Shop.Platform.OpenApi;

namespace Shop.Platform.Modules;

/// <summary>The answer to <c>GET /</c>: the service, and links to everything that it has.</summary>
internal sealed record ServiceInfo(string Service, string Version, IReadOnlyDictionary<string, string> Links);

/// <summary>The answer of the health routes.</summary>
internal sealed record HealthAnswer([property: OneOf<HealthWord>] string Status,
    IReadOnlyDictionary<string, HealthAnswer.Check> Checks)
{
    /// <summary>One check: its status, and why.</summary>
    internal sealed record Check([property: OneOf<HealthWord>] string Status, string? Description, double DurationMs);
}

/// <summary>The state of a service, or of something that it depends on.</summary>
internal sealed class HealthWord : IChoices
{
    public const string Healthy = "healthy";
    public const string Unhealthy = "unhealthy";

    private HealthWord()
    {
    }

    public static IReadOnlyList<string> Names { get; } = [Healthy, Unhealthy];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ServiceInfo))]
[JsonSerializable(typeof(HealthAnswer))]
internal sealed partial class PlatformJson : JsonSerializerContext;
