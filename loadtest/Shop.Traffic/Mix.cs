using System.Collections.Concurrent;

namespace Shop.Traffic;

/// <summary>
/// What visitors do: most look, some buy, few restock. Products are wanted by Zipf's law, as in loadtest/advanced.
/// </summary>
internal sealed class Mix(ShopClient shop, Ledger ledger, Tally tally)
{
    // The last ten of the demo data are short of stock.
    private const int Wanted = 190;

    /// <summary>What this traffic buys and takes in.</summary>
    public static readonly IReadOnlyList<string> Products = [.. Enumerable.Range(0, Wanted)
        .Select(static number => $"prod_{number}")];

    private static readonly double[] Shares = [.. Enumerable.Range(1, Wanted)
        .Aggregate(new List<double>(), static (shares, rank) =>
        {
            shares.Add((shares.Count == 0 ? 0 : shares[^1]) + 1.0 / rank);
            return shares;
        })];

    private static readonly string[] Life = ["pay", "ship", "deliver"];

    private readonly ConcurrentQueue<Placed> _orders = new();

    /// <summary>One request of a visitor.</summary>
    public async Task<Ending> VisitAsync()
    {
        return Random.Shared.NextDouble() switch
        {
            < 0.25 => await shop.ListAsync(),
            < 0.65 => await shop.ProductAsync(Popular()),
            < 0.70 => await shop.StockAsync(Popular()),
            < 0.88 => await BuyAsync(),
            < 0.98 => await LiveOnAsync(),
            _ => await RestockAsync(),
        };
    }

    private static string Popular()
    {
        int place = Array.BinarySearch(Shares, Random.Shared.NextDouble() * Shares[^1]);
        return Products[Math.Min(Wanted - 1, place < 0 ? ~place : place)];
    }

    private async Task<Ending> BuyAsync()
    {
        (string, int)[] items = [.. Enumerable.Range(0, Random.Shared.Next(1, 4))
            .Select(_ => (Popular(), Random.Shared.Next(1, 4)))];
        (Ending ending, string? orderId, int retries) = await shop.OrderAsync(ledger.Customer(), items);
        tally.Retried(retries);
        if (ending is Ending.Failed or Ending.NoAnswer) tally.OrderWithoutAnswer();
        if (orderId is null) return ending;
        tally.OrderPlaced();
        ledger.Placed(orderId, items.Sum(item => item.Item2));
        _orders.Enqueue(new Placed(orderId, 0));
        return ending;
    }

    /// <summary>An earlier order takes its next step, or is cancelled.</summary>
    private async Task<Ending> LiveOnAsync()
    {
        if (!_orders.TryDequeue(out Placed? order)) return await shop.ListAsync();
        bool isCancelled = order.Steps < 2 && Random.Shared.NextDouble() < 0.1;
        Ending ending = await shop.ChangeAsync(order.Id, isCancelled ? "cancel" : Life[order.Steps]);
        if (isCancelled)
        {
            if (ending == Ending.Done) ledger.Cancelled(order.Id);
        }
        else if (ending == Ending.Done && order.Steps + 1 < Life.Length)
        {
            _orders.Enqueue(order with { Steps = order.Steps + 1 });
        }

        return ending;
    }

    private async Task<Ending> RestockAsync()
    {
        (string product, int quantity) = (Popular(), Random.Shared.Next(10, 100));
        Ending ending = await shop.RestockAsync(product, quantity);
        if (ending == Ending.Done) ledger.Restocked(product, quantity);
        else tally.ChangeWithoutAnswer();
        return ending;
    }

    private sealed record Placed(string Id, int Steps);
}
