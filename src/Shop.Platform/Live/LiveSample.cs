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
internal sealed record LiveSample(
    DateTimeOffset At, double Requests, double Refused, double Failed, double? P50, double? P95, double? P99)
{
    // Positions in the sample's JSON array.
    public const int RequestsColumn = 1;
    public const int FailedColumn = 2;
    public const int P50Column = 3;
    public const int P95Column = 4;
    public const int P99Column = 5;
    public const int RefusedColumn = 6;
    public const int SucceededColumn = 7;
    public const int RedirectedColumn = 8;
    public const int InProgressColumn = 9;
    public const int WaitingColumn = 10;
    public const int CommitColumn = 11;
    public const int FirstOwnColumn = 12;

    /// <summary>Its value in a column.</summary>
    public double? this[int column] => column switch
    {
        RequestsColumn => Requests,
        FailedColumn => Failed,
        P50Column => P50,
        P95Column => P95,
        P99Column => P99,
        RefusedColumn => Refused,
        SucceededColumn => Succeeded,
        RedirectedColumn => Redirected,
        InProgressColumn => InProgress,
        WaitingColumn => Waiting,
        CommitColumn => Commit,
        _ => Own[column - FirstOwnColumn],
    };

    /// <summary>Columns of a point, without its time.</summary>
    public int Columns => FirstOwnColumn - 1 + Own.Count;

    /// <summary>Answers a second with a 2xx.</summary>
    public double Succeeded { get; init; }

    /// <summary>Answers a second with a 3xx.</summary>
    public double Redirected { get; init; }

    /// <summary>Requests being worked on at its end.</summary>
    public double InProgress { get; init; }

    /// <summary>Writes that waited for their commit at its end.</summary>
    public double Waiting { get; init; }

    /// <summary>95 of 100 commits took no longer, in milliseconds. Null if there was none.</summary>
    public double? Commit { get; init; }

    /// <summary>The module's own business metrics.</summary>
    public IReadOnlyList<double> Own { get; init; } = [];
}

/// <summary>The values of a service's registry, as the tables show them.</summary>
internal sealed record LiveSnapshot(
    double Requests,
    IReadOnlyDictionary<string, double> ByCode,
    IReadOnlyDictionary<string, double> ByRoute,
    IReadOnlyDictionary<string, double> Figures)
{
    /// <summary>What each endpoint did in the last minutes, the busiest first.</summary>
    public IReadOnlyList<EndpointActivity> Endpoints { get; init; } = [];
}

/// <summary>What an endpoint did.</summary>
/// <param name="Route">Method and route.</param>
/// <param name="Requests">Requests since the start.</param>
/// <param name="Rate">Requests a second over the last minute.</param>
/// <param name="Failed">Of 100 requests over the last minute, how many the shop failed; null if there was none.</param>
/// <param name="P50">Half of the requests over the last minute took no longer, in milliseconds.</param>
/// <param name="P95">95 of 100 took no longer.</param>
/// <param name="Rates">Requests a second over the last five minutes, in steps of ten seconds, oldest first.</param>
internal sealed record EndpointActivity(string Route, double Requests, double Rate, double? Failed, double? P50,
    double? P95, IReadOnlyList<double> Rates);
