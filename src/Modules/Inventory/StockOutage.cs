using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shop.Platform.Data;
using Shop.Platform.Faults;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Inventory;

/// <summary>
/// The fault <c>stock_runs_out</c>: removes all units of some products that can be sold, as decreases of the stock, and
/// adds them again at the end. What it is about to remove is in a file before it is removed, and each step has an
/// idempotency key: so wherever the process dies, the next start removes nothing twice and adds everything again.
/// </summary>
internal sealed class StockOutage(
    IStockStore store, AdjustStock adjust, [FromKeyedServices(InventoryModule.Name)] ModuleContext module)
{
    public static readonly FaultDefinition Definition = new("stock_runs_out",
        "A share of the products is out of stock: all units that can be sold are taken out, and given back at the end.",
        "share", 0.01m, 1, 0.1m)
    {
        LastsUntilUndone = true,
    };

    /// <summary>The most products.</summary>
    private const int MaxProducts = 5000;

    private const int PageSize = 1000, MaxParallel = 64;

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly StateFile _file = new(module.Settings.DataDirectory, "stock-taken.json");

    public async Task RunAsync(FaultRun run, CancellationToken end)
    {
        Outage? outage = _file.Read() is { } content
            ? JsonSerializer.Deserialize(content, StockOutageJson.Default.Outage) : null;
        if (outage is not null && outage.Run != run.Id)
        {
            await GiveBackAsync(outage);
            outage = null;
        }

        if (!run.IsOver)
        {
            outage = await TakeAsync(outage ?? new Outage(run.Id, IsTaken: false, await ChooseAsync(run.Intensity)));
            await Task.Delay(Timeout.InfiniteTimeSpan, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (run.IsOver && outage is not null) await GiveBackAsync(outage);
    }

    // Spread evenly over the products on sale, in the order of their ids: the same products each time.
    private async Task<IReadOnlyList<Taken>> ChooseAsync(decimal share)
    {
        var chosen = new List<Taken>();
        int onSale = 0;
        string? after = null;
        bool hasMore = true;
        while (hasMore && chosen.Count < MaxProducts)
        {
            (PageOf<StockLevel> page, _) = await store.ListAsync(null, after, PageSize, CancellationToken.None);
            foreach (StockLevel level in page.Rows.Where(level => !level.IsRetired))
            {
                bool isChosen = decimal.Floor((onSale + 1) * share) > decimal.Floor(onSale * share);
                onSale++;
                if (isChosen && level.Available > 0 && chosen.Count < MaxProducts)
                    chosen.Add(new Taken(level.ProductId, level.Available, Try: 0));
            }

            hasMore = page.HasMore;
            after = page.Rows.Count > 0 ? page.Rows[^1].ProductId : null;
        }

        return chosen;
    }

    private async Task<Outage> TakeAsync(Outage outage)
    {
        if (outage.IsTaken) return outage;
        do
        {
            Save(outage);
            var next = new ConcurrentBag<Taken>();
            int tooMany = 0;
            await ForEachAsync(outage.Products, async taken =>
            {
                AdjustResult result = await AdjustAsync(outage, MovementKind.Removed, taken);
                if (result.Outcome is AdjustOutcome.Adjusted or AdjustOutcome.Replayed)
                {
                    next.Add(taken);
                }
                else if (result is { Outcome: AdjustOutcome.TooLittleStock, Available: > 0 })
                {
                    // Some were sold meanwhile.
                    Interlocked.Increment(ref tooMany);
                    next.Add(taken with { Quantity = result.Available, Try = taken.Try + 1 });
                }
            });
            outage = outage with { IsTaken = tooMany == 0, Products = [.. next] };
        }
        while (!outage.IsTaken);

        Save(outage);
        module.Log.LogInformation("All that could be sold of {Products} products is taken out", outage.Products.Count);
        return outage;
    }

    private async Task GiveBackAsync(Outage outage)
    {
        outage = await TakeAsync(outage); // finds out what a crash has left
        await ForEachAsync(outage.Products, async taken => await AdjustAsync(outage, MovementKind.Received, taken));
        _file.Delete();
        module.Log.LogInformation("The stock of {Products} products is given back", outage.Products.Count);
    }

    private static Task ForEachAsync(IReadOnlyList<Taken> products, Func<Taken, Task> act) =>
        Parallel.ForEachAsync(products, new ParallelOptions { MaxDegreeOfParallelism = MaxParallel },
            async (taken, _) => await act(taken));

    // A database that fails at the moment, perhaps because of another fault, must not prevent the return of the stock.
    private async Task<AdjustResult> AdjustAsync(Outage outage, MovementKind kind, Taken taken)
    {
        string key = $"{Definition.Name}-{outage.Run}-{kind.Name}-{taken.Try}-{taken.ProductId}";
        while (true)
        {
            try
            {
                return (await adjust.AdjustAsync(kind, taken.ProductId, taken.Quantity, key)).Result;
            }
            catch (StoreException)
            {
                await Task.Delay(RetryDelay);
            }
        }
    }

    private void Save(Outage outage) =>
        _file.Write(JsonSerializer.SerializeToUtf8Bytes(outage, StockOutageJson.Default.Outage));

    /// <summary>What a run takes, or has taken.</summary>
    internal sealed record Outage(string Run, bool IsTaken, IReadOnlyList<Taken> Products);

    /// <summary>Units of a product; the number of the try belongs to the key.</summary>
    internal sealed record Taken(string ProductId, long Quantity, int Try);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(StockOutage.Outage))]
internal sealed partial class StockOutageJson : JsonSerializerContext;
