using System.Text.Json.Serialization;

namespace Shop.Platform.Alerts;

/// <summary>What Alertmanager posts to a webhook (its format, version 4), as far as the page shows it.</summary>
internal sealed record Notification(
    string Receiver,
    string Status,
    string GroupKey,
    IReadOnlyDictionary<string, string> GroupLabels,
    IReadOnlyList<NotifiedAlert> Alerts,
    long TruncatedAlerts = 0,
    [property: JsonPropertyName("externalURL")] string? ExternalUrl = null);

/// <summary>One alert of a notification.</summary>
internal sealed record NotifiedAlert(
    string Status,
    IReadOnlyDictionary<string, string> Labels,
    IReadOnlyDictionary<string, string> Annotations,
    DateTimeOffset StartsAt,
    DateTimeOffset EndsAt,
    [property: JsonPropertyName("generatorURL")] string? GeneratorUrl = null)
{
    /// <summary>The alert's name.</summary>
    public string Name => Labels.GetValueOrDefault("alertname", "(no name)");

    /// <summary>When it ended; null while it fires, for which Alertmanager sends the year 1.</summary>
    public DateTimeOffset? Ended => Status == "resolved" && EndsAt > StartsAt ? EndsAt : null;
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true, MaxDepth = 8)]
[JsonSerializable(typeof(Notification))]
internal sealed partial class NotificationJson : JsonSerializerContext;
