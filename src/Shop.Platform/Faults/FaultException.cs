namespace Shop.Platform.Faults;

/// <summary>Something failed because a fault was asked for.</summary>
/// <param name="fault">Name of the fault.</param>
public sealed class FaultException(string fault) : Exception($"trouble on demand ({fault})");
