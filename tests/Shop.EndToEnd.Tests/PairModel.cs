namespace Shop.EndToEnd.Tests;

/// <summary>What a client is told, as far as it can be said beforehand.</summary>
/// <param name="Status">The status.</param>
/// <param name="IsReplayed">Whether it is the answer to an earlier request.</param>
/// <param name="Says">Its content: a status and a total, a level, a version and a price, or the type of a
/// problem.</param>
internal sealed record PairAnswer(int Status, bool IsReplayed, string Says);

/// <summary>An order of the model.</summary>
internal sealed record PairOrder(string Id, string Customer, int Quantity, decimal Price, string Status)
{
    public decimal Total => Quantity * Price;
}

/// <summary>
/// A shop with one product, which does one request after the other: what a shop is that does two at once must be what
/// this one is after the two in one order or the other.
/// </summary>
internal sealed class PairModel
{
    private const string KeyReused = "idempotency-key-reused";

    private static readonly (string From, string To)[] Steps =
        [("created", "paid"), ("paid", "shipped"), ("shipped", "delivered"), ("created", "cancelled"),
            ("paid", "cancelled")];

    private readonly Dictionary<string, (string Content, PairAnswer Answer)> _keys;
    private readonly List<PairOrder> _orders;
    private readonly Dictionary<string, int> _created;

    public PairModel()
        : this([], [], [])
    {
    }

    private PairModel(
        Dictionary<string, (string Content, PairAnswer Answer)> keys, List<PairOrder> orders, Dictionary<string,
            int> created) =>
        (_keys, _orders, _created) = (keys, orders, created);

    public int OnHand { get; private set; } = 20;

    public decimal Price { get; private set; } = 10m;

    public int Version { get; private set; } = 1;

    public bool IsSold { get; private set; } = true;

    public int Reserved => _orders.Where(order => order.Status is "created" or "paid").Sum(order => order.Quantity);

    public IEnumerable<PairOrder> Orders => _orders;

    /// <summary>Products that were created beside the one, and their units.</summary>
    public IReadOnlyDictionary<string, int> Created => _created;

    private int Level => OnHand - Reserved;

    public PairModel Copy() => new(new(_keys), [.. _orders], new(_created))
    {
        OnHand = OnHand,
        Price = Price,
        Version = Version,
        IsSold = IsSold,
    };

    /// <summary>Places an order; the id "" stands for one that the shop makes.</summary>
    public PairAnswer Place(string? key, string id, string customer, int quantity)
    {
        string content = $"place {id} {customer} {quantity}";
        if (Kept("orders", key, content) is { } kept) return kept;
        if (_orders.Find(order => id.Length > 0 && order.Id == id) is { } earlier)
        {
            if ((earlier.Customer, earlier.Quantity) != (customer, quantity)) return Problem(409, "order-id-reused");
            return Keep("orders", key, content, Placed(earlier) with { IsReplayed = true });
        }

        if (!IsSold) return Problem(422, "unknown-product");
        if (Level < quantity) return Problem(409, "insufficient-stock");
        var order = new PairOrder(id, customer, quantity, Price, "created");
        _orders.Add(order);
        return Keep("orders", key, content, Placed(order));
    }

    public PairAnswer Change(string? key, string id, string status)
    {
        int place = _orders.FindIndex(order => order.Id == id);
        if (place < 0) return Problem(404, "about:blank");
        string content = $"{status} {id}";
        if (Kept("orders", key, content) is { } kept) return kept;
        PairOrder order = _orders[place];
        if (order.Status != status)
        {
            if (!Steps.Contains((order.Status, status))) return Problem(409, "status-change-not-allowed");
            _orders[place] = order with { Status = status };
            if (status == "shipped") OnHand -= order.Quantity;
        }

        return Keep("orders", key, content, new PairAnswer(200, false, Says(_orders[place])));
    }

    public PairAnswer Restock(string? key, int units)
    {
        string content = $"restock {units}";
        if (Kept("inventory", key, content) is { } kept) return kept;
        if (Level + units < 0) return Problem(409, "insufficient-stock");
        OnHand += units;
        return Keep("inventory", key, content, new PairAnswer(200, false, $"{Level}"));
    }

    public PairAnswer Replace(string? key, decimal price, bool ifFirst)
    {
        string content = $"replace {price}";
        if (Kept("products", key, content) is { } kept) return kept;
        if (Refused(ifFirst) is { } refused) return refused;
        (Price, Version) = (price, Version + 1);
        return Keep("products", key, content, new PairAnswer(200, false, $"{Version} {Price:0.00}"));
    }

    public PairAnswer Delete(string? key, bool ifFirst)
    {
        if (Kept("products", key, "delete") is { } kept) return kept;
        if (Refused(ifFirst) is { } refused) return refused;
        IsSold = false;
        return Keep("products", key, "delete", new PairAnswer(204, false, ""));
    }

    public PairAnswer Create(string? key, string id, int stock)
    {
        string content = $"create {id} {stock}";
        if (Kept("products", key, content) is { } kept) return kept;
        if (!_created.TryAdd(id, stock)) return Problem(409, "id-taken");
        return Keep("products", key, content, new PairAnswer(201, false, "1 5.00"));
    }

    private static PairAnswer Problem(int status, string type) => new(status, false, type);

    private static PairAnswer Placed(PairOrder order) => new(201, false, Says(order with { Status = "created" }));

    private static string Says(PairOrder order) => $"{order.Status} {order.Total:0.00}";

    private PairAnswer? Refused(bool ifFirst) =>
        !IsSold ? Problem(404, "about:blank") : ifFirst && Version != 1 ? Problem(412, "precondition-failed") : null;

    private PairAnswer? Kept(string service, string? key, string content) =>
        key is null || !_keys.TryGetValue($"{service} {key}", out (string Content, PairAnswer Answer) kept) ? null
        : kept.Content == content ? kept.Answer with { IsReplayed = true } : Problem(409, KeyReused);

    private PairAnswer Keep(string service, string? key, string content, PairAnswer answer)
    {
        if (key is not null) _keys[$"{service} {key}"] = (content, answer);
        return answer;
    }
}
