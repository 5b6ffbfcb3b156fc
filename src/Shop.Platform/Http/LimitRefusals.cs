namespace Shop.Platform.Http;

/// <summary>A limit that refuses requests: the label <c>reason</c> of <c>app_requests_rejected_total</c>.</summary>
public enum RequestLimit
{
    /// <summary>The queue of writes is full.</summary>
    QueueFull,

    /// <summary>A write waited too long in the queue.</summary>
    QueueTimeout,

    /// <summary>A list, a count or a search was not done in time.</summary>
    QueryTimeout,

    /// <summary>One client sent more than its rate.</summary>
    ClientRate,

    /// <summary>The module works on as many requests as it may.</summary>
    TooManyRequests,

    /// <summary>The module has as many connections as it may.</summary>
    TooManyConnections,

    /// <summary>The body is larger than bodies may be.</summary>
    BodyTooLarge,

    /// <summary>A request or a response had no room in memory: it was refused, or ended in the middle.</summary>
    NoMemory,
}

/// <summary>The answers of the limits. Each is counted under its limit when it is written.</summary>
internal static class LimitRefusals
{
    public static Problem QueueFull { get; } = Unavailable(RequestLimit.QueueFull,
        "Too many writes are waiting; try again in a second.", "queue-full");

    public static Problem QueueTimeout { get; } = Unavailable(RequestLimit.QueueTimeout,
        "The write waited too long for its turn and was not made; try again in a second.", "queue-timeout");

    public static Problem NoMemory { get; } = Unavailable(RequestLimit.NoMemory,
        "There is no memory for this at the moment, because too many clients are slow; try again in a second.",
            "no-memory");

    public static Problem TooManyConnections { get; } = Unavailable(RequestLimit.TooManyConnections,
        "Too many connections; try again in a second.", "too-many-connections");

    public static Problem TooManyRequests { get; } = TooMany(RequestLimit.TooManyRequests,
        "Too many requests at once; try again in a second.", "too-many-requests");

    public static Problem QueryTimeout(TimeSpan deadline) => Unavailable(RequestLimit.QueryTimeout,
        $"The query was not done within {deadline.TotalSeconds} s; try again in a second, or ask for less.",
            "query-timeout");

    /// <param name="rate">What one client may send in a second.</param>
    public static Problem ClientRate(string rate) => TooMany(RequestLimit.ClientRate,
        $"More than {rate} a second from one client; try again in a second.", "client-rate-limit");

    private static Problem Unavailable(RequestLimit limit, string error, string kind) =>
        new(503, error, kind) { RetryAfterSeconds = 1, Limit = limit };

    private static Problem TooMany(RequestLimit limit, string error, string kind) =>
        new(429, error, kind) { RetryAfterSeconds = 1, Limit = limit };
}
