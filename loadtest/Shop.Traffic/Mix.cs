using System.Collections.Concurrent;

namespace Shop.Traffic;

/// <summary>What visitors do: most look, some buy, few restock. Products are wanted by Zipf's law, as in loadtest/advanced.</summary>
internal sealed class Mix(ShopClient shop, Tally tally)
{
    // The last ten of the demo data are short of stock.
    private const int Products = 190;

    private static readonly double[] Shares = [.. Enumerable.Range(1, Products).Aggregate(new List<double>(), static (shares, rank) =>
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
        return $"prod_{Math.Min(Products - 1, place < 0 ? ~place : place)}";
    }

    private async Task<Ending> BuyAsync()
    {
        (string, int)[] items = [.. Enumerable.Range(0, Random.Shared.Next(1, 4)).Select(_ => (Popular(), Random.Shared.Next(1, 4)))];
        (Ending ending, string? orderId, int retries) = await shop.OrderAsync($"customer-{Random.Shared.Next(1000)}", items);
        tally.Retried(retries);
        if (ending == Ending.Failed) tally.OrderWithoutAnswer();
        if (orderId is null) return ending;
        int units = items.Sum(item => item.Item2);
        tally.OrderPlaced(units);
        _orders.Enqueue(new Placed(orderId, units, 0));
        return ending;
    }

    /// <summary>An earlier order takes its next step, or is cancelled.</summary>
    private async Task<Ending> LiveOnAsync()
    {
        if (!_orders.TryDequeue(out Placed? order)) return await shop.ListAsync();
        bool isCancelled = order.Steps < 2 && Random.Shared.NextDouble() < 0.1;
        Ending ending = await shop.ChangeAsync(order.Id, isCancelled ? "cancel" : Life[order.Steps]);
        if (ending != Ending.Done)
        {
            if (isCancelled) tally.ChangeWithoutAnswer();
            return ending;
        }

        if (isCancelled) tally.UnitsBack(order.Units);
        else if (order.Steps + 1 < Life.Length) _orders.Enqueue(order with { Steps = order.Steps + 1 });
        return ending;
    }

    private async Task<Ending> RestockAsync()
    {
        int quantity = Random.Shared.Next(10, 100);
        Ending ending = await shop.RestockAsync(Popular(), quantity);
        if (ending == Ending.Done) tally.UnitsBack(quantity);
        else tally.ChangeWithoutAnswer();
        return ending;
    }

    private sealed record Placed(string Id, int Units, int Steps);
}
