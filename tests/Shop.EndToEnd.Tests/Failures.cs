using Microsoft.Extensions.DependencyInjection;
using Shop.Inventory.Contracts;
using Shop.Platform.Data;

namespace Shop.EndToEnd.Tests;

/// <summary>Which calls fail, and how.</summary>
internal sealed class Failures
{
    private readonly Lock _lock = new();
    private Random _random = new(0);
    private int _percent;

    /// <summary>
    /// The real modules behind contracts whose calls fail by chance, before they take effect or after.
    /// </summary>
    public Action<IServiceCollection> Contracts =>
        InterceptedContracts.By((_, _, call) => PassAsync(call), inventory => Inventory = inventory);

    public int Made { get; private set; }

    /// <summary>The real one.</summary>
    public IInventory Inventory { get; set; } = null!;

    /// <summary>From now on so many of a hundred calls fail.</summary>
    public void Begin(int percent, int seed)
    {
        lock (_lock) (_percent, _random) = (percent, new Random(seed));
    }

    public void End() => Begin(0, 0);

    public async Task PassAsync(Func<Task> call)
    {
        (Exception? before, Exception? after) = Draw();
        if (before is not null) throw before;
        await call();
        if (after is not null) throw after;
    }

    private (Exception? Before, Exception? After) Draw()
    {
        lock (_lock)
        {
            if (_random.Next(100) >= _percent) return (null, null);
            Made++;
            return _random.Next(8) switch
            {
                0 => (new WriteQueueFullException("inventory"), null),
                1 => (new WriteTimeoutException("inventory"), null),
                2 => (new StoreUnavailableException("inventory", new IOException("no")), null),
                3 => (new InvalidOperationException("no"), null),
                4 or 5 => (null, new StoreUnavailableException("inventory", new IOException("no"))),
                6 => (null, new InvalidOperationException("no")),
                _ => (null, new TimeoutException("no")),
            };
        }
    }
}
