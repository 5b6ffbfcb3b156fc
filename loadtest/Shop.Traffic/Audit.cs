using System.Text.Json.Nodes;

namespace Shop.Traffic;

/// <summary>
/// Compares the ledger of a run with the shop's books, by what can be proven: each order of the run is read back, and
/// each movement of stock that belongs to it. What others did meanwhile is told apart from a loss.
/// </summary>
internal sealed class Audit
{
    private readonly ShopClient _shop;
    private readonly IReadOnlyDictionary<string, long> _lastMovements;

    private Audit(ShopClient shop, IReadOnlyDictionary<string, long> lastMovements) =>
        (_shop, _lastMovements) = (shop, lastMovements);

    /// <summary>Notes where the shop's books are before the run.</summary>
    public static async Task<Audit> OpenAsync(ShopClient shop)
    {
        var last = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (string product in Mix.Products)
            last[product] = await shop.MovementsAsync(product, limit: 1).Select(IdOf).FirstOrDefaultAsync();
        return new Audit(shop, last);
    }

    /// <summary>What the books show of the run.</summary>
    public async Task<Findings> CompareAsync(Ledger ledger, Tally tally)
    {
        var stored = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string customer in ledger.AllCustomers)
        {
            await foreach (JsonNode order in _shop.OrdersOfAsync(customer))
                stored[(string)order["order_id"]!] = (string)order["status"]!;
        }

        var moved = new Dictionary<(string OrderId, string Kind), long>();
        var received = new Dictionary<(string ProductId, int Units), int>();
        long others = 0;
        foreach ((string product, long last) in _lastMovements)
        {
            await foreach (JsonNode movement in _shop.MovementsAsync(product, limit: 1000))
            {
                if (IdOf(movement) <= last) break;
                (string kind, long units) = ((string)movement["kind"]!, Math.Abs((long)movement["quantity"]!));
                if ((string?)movement["order_id"] is { } id)
                {
                    moved[(id, kind)] = moved.GetValueOrDefault((id, kind)) + units;
                    if (!stored.ContainsKey(id) && !ledger.Orders.ContainsKey(id)) others++;
                }
                else if (kind == "received" && units <= int.MaxValue)
                {
                    received[(product, (int)units)] = received.GetValueOrDefault((product, (int)units)) + 1;
                }
                else
                {
                    others++;
                }
            }
        }

        string[] lost = [.. ledger.Orders.Keys.Where(id => !stored.ContainsKey(id))];
        string[] wrong = [.. from order in ledger.Orders
                             where stored.TryGetValue(order.Key, out string? status)
                                 && !IsRight(order.Value, status, kind => moved.GetValueOrDefault((order.Key, kind)))
                             select order.Key];
        long unreceived =
            ledger.Restocks.Sum(restock => Math.Max(0, restock.Value - received.GetValueOrDefault(restock.Key)));
        long extraReceipts = received.Values.Sum() - ledger.Restocks.Values.Sum() + unreceived;
        return new Findings(ledger.Orders.Count, lost, stored.Count - (ledger.Orders.Count - lost.Length), wrong,
            unreceived, others + Math.Max(0, extraReceipts - tally.ChangesWithoutAnswer));
    }

    // Others may cancel an order too; its units must be back then.
    private static bool IsRight(OwnOrder order, string status, Func<string, long> moved) =>
        moved("reserved") == order.Units && moved("released") == (status == "cancelled" ? order.Units : 0)
            && moved("shipped") == (status is "shipped" or "delivered" ? order.Units : 0)
            && (status == "cancelled" || !order.IsCancelled);

    private static long IdOf(JsonNode movement) =>
        long.Parse((string)movement["id"]!, System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>What an audit found.</summary>
/// <param name="Acknowledged">Orders that were acknowledged.</param>
/// <param name="Lost">Those of them that the shop does not have.</param>
/// <param name="Unacknowledged">Orders of the run that the shop has beside them: their answers never came.</param>
/// <param name="Wrong">Orders whose units the stock's movements do not show as they must.</param>
/// <param name="Unreceived">Acknowledged receipts that the stock's movements do not show.</param>
/// <param name="Others">Movements of stock that others caused.</param>
internal sealed record Findings(
    int Acknowledged, IReadOnlyList<string> Lost, int Unacknowledged, IReadOnlyList<string> Wrong,
    long Unreceived, long Others)
{
    public bool Agree => Lost.Count == 0 && Wrong.Count == 0 && Unreceived == 0;
}
