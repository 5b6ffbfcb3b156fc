namespace Shop.Platform.Live;

/// <summary>Type of a metric, as Prometheus has it.</summary>
public enum MetricType
{
    /// <summary>It only rises; its rate is shown.</summary>
    Counter,

    /// <summary>Its current value is shown.</summary>
    Gauge,

    /// <summary>Observations counted by their size; a quantile is shown.</summary>
    Histogram,
}

/// <summary>What the "?" beside a figure of the console says.</summary>
/// <param name="Title">What is explained.</param>
/// <param name="Metric">Name of the metric.</param>
/// <param name="Type">Its type.</param>
/// <param name="Query">The same figure by PromQL; <c>$service</c> stands for the service.</param>
/// <param name="Meaning">What it means, in a few sentences.</param>
public sealed record Explanation(string Title, string Metric, MetricType Type, string Query, string Meaning)
{
    /// <summary>The query for one service.</summary>
    public string QueryOf(string service) => Query.Replace("$service", service, StringComparison.Ordinal);
}

/// <summary>A business figure of a module: the sum of some series of its registry, or the rate of that sum.</summary>
/// <param name="Title">What it is.</param>
/// <param name="Metric">Name of a counter or gauge.</param>
/// <param name="Type">A counter is shown by its rate.</param>
/// <param name="Meaning">What it means, in a sentence or two.</param>
public sealed record BusinessMetric(string Title, string Metric, MetricType Type, string Meaning)
{
    /// <summary>A label that the series must have, as <c>status="created"</c>; null for all of the metric.</summary>
    public string? Label { get; init; }

    /// <summary>The rate is per so many seconds.</summary>
    public int Seconds { get; init; } = 1;

    /// <summary>Whether it is money.</summary>
    public bool IsMoney { get; init; }

    /// <summary>The text of its "?".</summary>
    internal Explanation Explanation => new(Title, Metric, Type, Type == MetricType.Counter ? Rate : Sum, Meaning);

    private string Series => $$"""{{Metric}}{{{(Label is null ? "" : $"{Label},")}}service="$service"}""";

    private string Sum => $"sum({Series})";

    private string Rate => $"{(Seconds == 1 ? "" : $"{Seconds} * ")}sum(rate({Series}[1m]))";
}
