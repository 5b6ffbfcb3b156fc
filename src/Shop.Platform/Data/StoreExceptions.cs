namespace Shop.Platform.Data;

/// <summary>A write was not made, and nothing of it was kept. The same write may succeed later.</summary>
public abstract class StoreException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>The write queue is full.</summary>
public sealed class WriteQueueFullException(string module)
    : StoreException($"The write queue of {module} is full; nothing was written.");

/// <summary>The write waited in the queue for longer than <see cref="ShopSettings.RequestTimeout"/>.</summary>
public sealed class WriteTimeoutException(string module)
    : StoreException($"The write queue of {module} is too slow; nothing was written.");

/// <summary>The database could not carry out the write.</summary>
public sealed class StoreUnavailableException(string module, Exception innerException)
    : StoreException($"The database of {module} is not available: {innerException.Message}", innerException);
