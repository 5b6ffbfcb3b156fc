namespace Shop.Platform;

/// <summary>The shop can't start. The message is the one line that the person who started it reads.</summary>
public sealed class ShopStartException(string message, Exception? innerException = null)
    : Exception(message, innerException);
