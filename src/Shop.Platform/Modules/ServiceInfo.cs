using System.Text.Json.Serialization;
using Shop.Platform.OpenApi;

namespace Shop.Platform.Modules;

/// <summary>What <c>GET /</c> answers: the service, and where all it has is.</summary>
internal sealed record ServiceInfo(string Service, string Version, IReadOnlyDictionary<string, string> Links);

/// <summary>What the health routes answer.</summary>
internal sealed record HealthAnswer([property: OneOf<HealthWord>] string Status, IReadOnlyDictionary<string, HealthAnswer.Check> Checks)
{
    /// <summary>One check: its status, and why.</summary>
    internal sealed record Check([property: OneOf<HealthWord>] string Status, string? Description, double DurationMs);
}

/// <summary>How a service, or what it stands on, is.</summary>
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
