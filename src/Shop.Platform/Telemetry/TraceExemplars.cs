using System.Diagnostics;
using Prometheus;

namespace Shop.Platform.Telemetry;

/// <summary>
/// Exemplars lead from a bucket of a histogram to a trace. Only a trace that is recorded can be found.
/// </summary>
internal static class TraceExemplars
{
    private static readonly Exemplar.LabelKey TraceId = Exemplar.Key("trace_id");
    private static readonly Exemplar.LabelKey SpanId = Exemplar.Key("span_id");

    /// <summary>The current span, if it is recorded.</summary>
    public static ExemplarBehavior OfRecorded { get; } = new()
    {
        DefaultExemplarProvider = static (_, _) => Activity.Current is { Recorded: true } span
            ? Exemplar.From(TraceId.WithValue(span.TraceId.ToHexString()), SpanId.WithValue(span.SpanId.ToHexString()))
            : Exemplar.None,
    };

    /// <summary>None.</summary>
    public static ExemplarBehavior None { get; } = new() { DefaultExemplarProvider = null };
}
