using System.Diagnostics;

namespace Shop.Platform.Telemetry;

/// <summary>What spans have in common.</summary>
internal static class Spans
{
    /// <summary>Whether work that begins now belongs to a trace.</summary>
    public static bool IsTraced => Activity.Current?.IsAllDataRequested == true;

    /// <summary>Notes that the work of a span failed.</summary>
    public static void Fail(Activity? span, Exception exception)
    {
        if (span is null) return;
        span.SetStatus(ActivityStatusCode.Error, exception.Message);
        span.SetTag("error.type", exception.GetType().FullName);
    }
}
