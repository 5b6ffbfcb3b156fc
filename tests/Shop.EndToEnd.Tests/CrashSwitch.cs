using Microsoft.Extensions.DependencyInjection;
using Shop.Products.Contracts;

namespace Shop.EndToEnd.Tests;

/// <summary>
/// Ends the world: at a chosen call of the inventory, before it or after it, and for every call from then on. To the
/// caller that is a crash between two of its steps: nothing that comes after can happen.
/// </summary>
internal sealed class CrashSwitch
{
    private readonly Lock _lock = new();
    private int? _passesLeft;

    /// <summary>The real inventory behind this switch.</summary>
    public Action<IServiceCollection> Contracts => InterceptedContracts.By(
        (name, _, call) => name == nameof(IProductCatalogue.FindAsync) ? call() : PassAsync(call));

    public bool HasCrashed { get; private set; }

    /// <summary>Crashes after so many more half-calls: the beginning and the end of a call are one each.</summary>
    public void CrashAfter(int passes)
    {
        lock (_lock) _passesLeft = passes;
    }

    public void Reset()
    {
        lock (_lock) (_passesLeft, HasCrashed) = (null, false);
    }

    public async Task PassAsync(Func<Task> call)
    {
        Pass();
        await call();
        Pass();
    }

    private void Pass()
    {
        lock (_lock)
        {
            if (_passesLeft is { } left && !HasCrashed)
            {
                HasCrashed = left <= 0;
                _passesLeft = left - 1;
            }

            if (HasCrashed) throw new CrashException();
        }
    }
}

internal sealed class CrashException() : Exception("The process is gone.");
