using System.Text.Json.Serialization;

namespace Shop.Platform.Modules;

/// <summary>What <c>GET /</c> answers: the service, and where all it has is.</summary>
internal sealed record ServiceCard(string Service, string Version, IReadOnlyDictionary<string, string> Links);

/// <summary>What the health routes answer.</summary>
internal sealed record HealthAnswer(string Status, IReadOnlyDictionary<string, HealthAnswer.Check> Checks)
{
    /// <summary>One check: its status, and why.</summary>
    internal sealed record Check(string Status, string? Description, double DurationMs);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ServiceCard))]
[JsonSerializable(typeof(HealthAnswer))]
internal sealed partial class PlatformJson : JsonSerializerContext;
