using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Shop.Traffic;

/// <summary>
/// What this run has done to the shop, as the shop acknowledged it. Its customers are its own, so its orders can
/// be told from those of others.
/// </summary>
internal sealed class Ledger
{
    private const int Customers = 20;

    private readonly string _run = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
    private readonly ConcurrentDictionary<string, OwnOrder> _orders = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string ProductId, int Units), int> _restocks = new();

    /// <summary>Orders that were acknowledged, by their ids.</summary>
    public IReadOnlyDictionary<string, OwnOrder> Orders => _orders;

    /// <summary>How often so many units of a product were taken in.</summary>
    public IReadOnlyDictionary<(string ProductId, int Units), int> Restocks => _restocks;

    /// <summary>Everybody who orders in this run.</summary>
    public IEnumerable<string> AllCustomers => Enumerable.Range(0, Customers).Select(Name);

    /// <summary>Somebody who orders.</summary>
    public string Customer() => Name(Random.Shared.Next(Customers));

    public void Placed(string id, int units) => _orders[id] = new OwnOrder(units, IsCancelled: false);

    public void Cancelled(string id) => _orders[id] = _orders[id] with { IsCancelled = true };

    public void Restocked(string productId, int units) =>
        _restocks.AddOrUpdate((productId, units), 1, static (_, times) => times + 1);

    private string Name(int number) => $"traffic-{_run}-{number}";
}

/// <summary>An order of this run.</summary>
/// <param name="Units">Of all its lines.</param>
/// <param name="IsCancelled">Whether its cancellation was acknowledged.</param>
internal sealed record OwnOrder(int Units, bool IsCancelled);
