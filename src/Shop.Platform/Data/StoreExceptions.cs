namespace Shop.Platform.Data;

/// <summary>The write queue is full. Nothing was written; the same write may succeed a moment later.</summary>
public sealed class WriteQueueFullException(string module)
    : Exception($"The write queue of {module} is full; nothing was written.");

/// <summary>The database could not carry out a write. Nothing of it was kept.</summary>
public sealed class StoreUnavailableException(string module, Exception innerException)
    : Exception($"The database of {module} is not available: {innerException.Message}", innerException);
