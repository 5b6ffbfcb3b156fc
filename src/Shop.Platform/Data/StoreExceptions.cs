namespace Shop.Platform.Data;

/// <summary>The database of a module could not be used. The same may succeed later.</summary>
public abstract class StoreException(string module, string message, Exception? innerException = null)
    : Exception(message, innerException)
{
    /// <summary>Name of the module whose database it is.</summary>
    public string Module { get; } = module;
}

/// <summary>A write was not begun, and never will be.</summary>
public abstract class WriteRefusedException(string module, string message, Exception? innerException = null)
    : StoreException(module, message, innerException);

/// <summary>The write queue is full.</summary>
public sealed class WriteQueueFullException(string module)
    : WriteRefusedException(module, $"The write queue of {module} is full; nothing was written.");

/// <summary>The write waited in the queue for longer than <see cref="ShopSettings.RequestTimeout"/>.</summary>
public sealed class WriteTimeoutException(string module)
    : WriteRefusedException(module, $"The write queue of {module} is too slow; nothing was written.");

/// <summary>The database can't be reached, and was not within <see cref="ShopSettings.RequestTimeout"/>.</summary>
public sealed class StoreUnreachableException(string module, Exception innerException) : WriteRefusedException(
    module, $"The database of {module} can't be reached; nothing was written.", innerException);

/// <summary>The service does not answer calls of others.</summary>
public sealed class ServiceDownException(string module)
    : WriteRefusedException(module, $"The service {module} does not answer; nothing was done.");

/// <summary>
/// The database could not carry out a write. A commit that failed at the disk may come back after a crash,
/// until a later one succeeds.
/// </summary>
public sealed class StoreUnavailableException(string module, Exception innerException)
    : StoreException(module, $"The database of {module} is not available: {innerException.Message}", innerException);

/// <summary>The database could not be read.</summary>
public sealed class StoreUnreadableException(string module, Exception innerException)
    : StoreException(module, $"The database of {module} can't be read: {innerException.Message}", innerException);
