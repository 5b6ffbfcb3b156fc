namespace Shop.Platform.Faults;

/// <summary>Something failed because of a simulated fault.</summary>
/// <param name="fault">Name of the fault.</param>
public sealed class FaultException(string fault) : Exception($"trouble on demand ({fault})");
