using Shop.Platform.Data.Sqlite;

namespace Shop.Orders.Storage.Sqlite;

/// <summary>
/// Names and prices of products as order lines show them, stored once for all lines with the same name and price. Used
/// inside writes, on the writer's thread alone.
/// </summary>
internal sealed class ProductSnapshots(GroupCommitWriter writes) : ITransactionParticipant
{
    /// <summary>
    /// The most products whose newest snapshot is kept in memory; others are looked up in the database.
    /// </summary>
    internal const int MaxKept = 2048;

    private readonly Statement _find = writes.Prepare(
        "SELECT number FROM product_snapshots WHERE product_id = ?1 AND unit_price_cents = ?2 AND name = ?3");

    private readonly Statement _insert = writes.Prepare(
        "INSERT INTO product_snapshots (product_id, unit_price_cents, name) VALUES (?1, ?2, ?3)");

    private readonly Dictionary<string, Snapshot> _kept = new(StringComparer.Ordinal);
    private readonly List<string> _uncommitted = [];

    /// <summary>
    /// The number of the snapshot with a line's name and price, which is stored if it is not there yet.
    /// </summary>
    public long NumberOf(in OrderLine line)
    {
        if (_kept.TryGetValue(line.ProductId, out Snapshot kept)
            && kept.UnitPriceCents == line.UnitPriceCents && kept.Name == line.Name)
            return kept.Number;

        long number = Bound(_find, line).First(static row => row.Number(0));
        if (number == 0) number = Bound(_insert, line).Insert();
        if (_kept.Count >= MaxKept) _kept.Clear();
        _kept[line.ProductId] = new Snapshot(number, line.Name, line.UnitPriceCents);
        _uncommitted.Add(line.ProductId);
        return number;
    }

    /// <inheritdoc/>
    public void ReleaseSavepoint()
    {
        // It may still be rolled back with its batch.
    }

    /// <inheritdoc/>
    public void RollBackToSavepoint() => Forget();

    /// <inheritdoc/>
    public void Commit() => _uncommitted.Clear();

    /// <inheritdoc/>
    public void RollBack() => Forget();

    private static Statement Bound(Statement statement, in OrderLine line) =>
        statement.Set(1, line.ProductId).Set(2, line.UnitPriceCents).Set(3, line.Name);

    // Snapshots of earlier writes of the batch are forgotten, too: if they are committed, they are found in the
    // database.
    private void Forget()
    {
        foreach (string productId in _uncommitted) _kept.Remove(productId);
        _uncommitted.Clear();
    }

    private readonly record struct Snapshot(long Number, string Name, long UnitPriceCents);
}
