using System.Security.Authentication;
using Npgsql;

namespace Shop.Platform.Data.Postgres;

/// <summary>Classifies errors of PostgreSQL and of the connection to it.</summary>
internal static class PostgresError
{
    private const string IdleInTransactionSessionTimeout = "25P03";

    /// <summary>
    /// Whether a retry may succeed: after a lost connection, a deadlock, or while a server starts or stops.
    /// </summary>
    public static bool IsTransient(Exception exception) => exception switch
    {
        PostgresException postgres => postgres.IsTransient || postgres.SqlState
            is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected
            or PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
            or PostgresErrorCodes.CannotConnectNow
            or PostgresErrorCodes.ReadOnlySqlTransaction // a former primary
            or IdleInTransactionSessionTimeout
            || IsFromPooler(postgres),
        NpgsqlException => true, // what is not from the server is from the connection
        TimeoutException or IOException or System.Net.Sockets.SocketException => true,
        _ => false,
    };

    /// <summary>Whether the server or the network is gone: more than one connection may be dead.</summary>
    public static bool IsConnectionLost(Exception exception) => exception switch
    {
        PostgresException postgres => postgres.SqlState
            is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown,
        NpgsqlException => exception.InnerException is not TimeoutException,
        _ => false,
    };

    /// <summary>Whether the batch's id is in use: an earlier attempt at it was committed.</summary>
    public static bool IsSameBatch(PostgresException exception) =>
        exception is { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "batches_pkey" };

    /// <summary>Whether the server is not reachable at the moment, but may be soon.</summary>
    public static bool IsAway(Exception exception) => exception switch
    {
        PostgresException postgres => postgres.SqlState
            is PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.AdminShutdown
            or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.TooManyConnections
            || (IsFromPooler(postgres)
                && !postgres.MessageText.Contains("authentication failed", StringComparison.Ordinal)),
        NpgsqlException { InnerException: AuthenticationException } => false, // its certificate
        NpgsqlException or TimeoutException or System.Net.Sockets.SocketException => true,
        _ => false,
    };

    /// <summary>
    /// Whether PgBouncer ended the connection. It has this code alone, mostly because its own server is away.
    /// </summary>
    private static bool IsFromPooler(PostgresException exception) =>
        exception is { SqlState: PostgresErrorCodes.ProtocolViolation, Severity: "FATAL" };
}
