namespace Shop.Platform.Live;

/// <summary>One second of a service.</summary>
/// <param name="At">When it ended.</param>
/// <param name="Requests">Requests a second.</param>
/// <param name="Refused">Answers a second that refused what a client sent.</param>
/// <param name="Failed">Answers a second in which the shop failed.</param>
/// <param name="P50">
/// Half of the requests took no longer, in milliseconds; from the histogram's buckets. Null if there was none.
/// </param>
/// <param name="P95">95 of 100 took no longer.</param>
/// <param name="P99">99 of 100 took no longer.</param>
internal sealed record LivePoint(
    DateTimeOffset At, double Requests, double Refused, double Failed, double? P50, double? P95, double? P99);

/// <summary>What a service's registry says, line by line, for those who look.</summary>
internal sealed record LiveReading(
    double Requests,
    IReadOnlyDictionary<string, double> ByCode,
    IReadOnlyDictionary<string, double> ByRoute,
    IReadOnlyDictionary<string, double> Figures);
