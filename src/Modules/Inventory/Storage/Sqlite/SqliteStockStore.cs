using Dapper;
using Microsoft.Data.Sqlite;
using Shop.Inventory.Contracts;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Modules;
using Shop.Platform.Requests;

namespace Shop.Inventory.Storage.Sqlite;

/// <summary>The stock in SQLite. Its levels are in memory, and their rows are written later: see
/// <see cref="StockCheckpoint"/>.</summary>
[DapperAot]
internal sealed class SqliteStockStore : IStockStore
{
    // The movements of a product, in the segment that has no index yet and in those that have.
    private const string IncompleteSegment =
        "FROM movements m WHERE m.id >= @SegmentStart AND m.product_id = @productId";
    private const string IndexedSegments =
        "FROM run CROSS JOIN movements_by_product i ON i.run = run.n AND i.product_id = @productId";

    private readonly ModuleContext _module;
    private readonly Database _database;
    private readonly StockCheckpoint _checkpoint;
    private long _openReservations;

    public SqliteStockStore(ModuleContext module)
    {
        _module = module;
        _database = module.Database;
        GroupCommitWriter writes = _database.Writes; // throws before the module has started
        Levels = LoadLevels();
        _openReservations = _database.Rows("SELECT count(*) FROM reservations", static row => row.GetInt64(0)).Single();
        Ledger = new StockLedger(_database, Levels);
        _checkpoint = new StockCheckpoint(Ledger, writes);
        writes.Enlist(Levels);
    }

    /// <summary>What commands change.</summary>
    public StockLedger Ledger { get; }

    /// <summary>The stock of every product.</summary>
    public StockLevels Levels { get; }

    /// <summary>The idempotency keys, with the answers that are stored for them.</summary>
    public IdempotencyKeys Keys => _database.Keys;

    public DateTime Now() => _module.Now();

    public Task MaintainAsync() => _checkpoint.RunAsync();

    public ValueTask<MovementTotals> InitializeAsync(IReadOnlyList<OpeningStock> products) => WriteAsync(() =>
    {
        DateTime now = Now();
        MovementTotals received = default;
        foreach (OpeningStock product in products)
        {
            if (!Ledger.AddProduct(product.ProductId, now) || product.Quantity == 0) continue;
            Ledger.Append(MovementKind.Received, product.ProductId, product.Quantity, null, now);
            received = received.Plus(product.Quantity);
        }

        return received;
    });

    public async ValueTask RetireAsync(IReadOnlyList<string> productIds) => await WriteAsync(() =>
    {
        foreach (string productId in productIds) Ledger.Retire(productId);
        return productIds.Count;
    });

    public ValueTask<ReserveResult> ReserveAsync(ReservationId id, IReadOnlyList<StockLine> lines) =>
        _database.Writes.WriteAsync(new ReserveCommand(this, id, lines));

    public async ValueTask ConfirmAsync(IReadOnlyList<ReservationId> ids) => await WriteAsync(() =>
    {
        foreach (ReservationId id in ids) Ledger.Confirm(id);
        return ids.Count;
    });

    public ValueTask<CloseResult> CloseAsync(IReadOnlyList<ReservationId> ids, MovementKind kind) =>
        _database.Writes.WriteAsync(new CloseReservationsCommand(this, ids, kind));

    public ValueTask<AdjustResult> AdjustAsync(
        MovementKind kind, string productId, long quantity, IdempotencyKey? key) =>
        _database.Writes.WriteAsync(new AdjustCommand(this, kind, productId, quantity, key));

    public ValueTask<int> CompactAsync(IReadOnlyList<OldMovement> movements) =>
        WriteAsync(() => Ledger.Compact(movements));

    public async ValueTask ReclaimSpaceAsync(CancellationToken end) => await _database.ReclaimSpaceAsync(end);

    public ValueTask<StockLevel?> FindAsync(string productId, CancellationToken end) =>
        ValueTask.FromResult(Levels.Find(productId));

    public ValueTask<IReadOnlyList<StockLevel?>> FindAsync(IReadOnlyList<string> productIds, CancellationToken end) =>
        ValueTask.FromResult<IReadOnlyList<StockLevel?>>([.. productIds.Select(Levels.Find)]);

    public ValueTask<(PageOf<StockLevel> Page, RowTotal Total)> ListAsync(
        long? maxLevel, string? after, int limit, CancellationToken end) => ReadAsync(connection =>
    {
        // A product that is no longer sold is never low.
        bool IsWanted(StockLevel stock) => maxLevel is null || (stock.Available <= maxLevel && !stock.IsRetired);
        IEnumerable<string> ids = connection.Query<string>(
            "SELECT product_id FROM stock WHERE product_id > @after ORDER BY product_id",
            new { after = after ?? "" }, buffered: false);
        StockLevel[] rows = [.. ids.Select(Levels.Find).OfType<StockLevel>().Where(IsWanted).Take(limit + 1)];
        return (Paging.TakePage(rows, limit), new RowTotal(Levels.All.Count(IsWanted)));
    }, end);

    public ValueTask<IReadOnlyList<StockLevel>> LowestAsync(int limit, CancellationToken end) =>
        ValueTask.FromResult(Levels.Lowest(limit));

    public ValueTask<ProductCounts> CountProductsAsync(long lowBelow, CancellationToken end)
    {
        int inStock = 0, low = 0, none = 0;
        foreach (StockLevel stock in Levels.OnSale)
        {
            if (stock.Available <= 0) none++;
            else if (stock.Available < lowBelow) low++;
            else inStock++;
        }

        return ValueTask.FromResult(new ProductCounts(inStock, low, none));
    }

    public ValueTask<(PageOf<Movement> Page, RowTotal Total)> ListMovementsAsync(
        string productId, long? cursor, int limit, CancellationToken end) => ReadAsync(connection =>
    {
        Movement[] rows = Movements(connection, productId, cursor, limit + 1);
        RowTotal total = Paging.Count(rows.Length, areAll: cursor is null && rows.Length <= limit,
            atMost => CountMovements(connection, productId, atMost));
        return (Paging.TakePage(rows, limit), total);
    }, end);

    public ValueTask<IReadOnlyList<Movement>> NewestMovementsAsync(
        string productId, int limit, CancellationToken end) =>
        ReadAsync<IReadOnlyList<Movement>>(connection => Movements(connection, productId, null, limit), end);

    public ValueTask<IReadOnlyList<OldMovement>> OldestMovementsAsync(long after, int limit, CancellationToken end) =>
        // A start needs the movements that are not in the rows of stock yet.
        ReadAsync<IReadOnlyList<OldMovement>>(connection => [.. connection.Query<OldMovement>("""
            SELECT id AS Id, product_id AS ProductId, kind AS Kind, quantity AS Quantity, order_id AS OrderId, at AS At
            FROM movements WHERE id > @after AND id <= (SELECT newest_movement FROM stock_checkpoint)
            ORDER BY id LIMIT @limit
            """, new { after, limit })], end);

    public ValueTask<IReadOnlyList<ReservationId>> UnconfirmedAsync(CancellationToken end) =>
        ValueTask.FromResult<IReadOnlyList<ReservationId>>([.. _database.Rows(
            "SELECT order_id, number FROM reservations WHERE is_confirmed = 0",
            static row => new ReservationId(row.GetString(0), row.GetInt64(1)))]);

    public ValueTask<long> CountReservationsAsync(CancellationToken end) =>
        ValueTask.FromResult(Interlocked.Read(ref _openReservations));

    /// <summary>Reservations were opened, or ended if negative, and that is on disk.</summary>
    public void CountOpened(int reservations) => Interlocked.Add(ref _openReservations, reservations);

    private ValueTask<T> WriteAsync<T>(Func<T> change) =>
        new(_database.Writes.WriteAsync(() => WriteResult.Commit(change())));

    private ValueTask<T> ReadAsync<T>(Func<SqliteConnection, T> read, CancellationToken end) =>
        ValueTask.FromResult(_database.Read(read, end));

    private Movement[] Movements(
        SqliteConnection connection, string productId, long? before, int limit)
    {
        const string Rows = """
            SELECT m.id AS Id, m.kind AS Kind, m.quantity AS Quantity, m.order_id AS OrderId, m.at AS At,
                m.on_hand AS OnHand, m.reserved AS Reserved
            """;
        const string NewestFirst = "AND m.id < @before ORDER BY m.id DESC LIMIT @Limit";
        var sql = new SegmentQueries($"{Rows} {IncompleteSegment} {NewestFirst}",
            $"{Rows} {IndexedSegments} CROSS JOIN movements m ON m.id = i.movement_id {NewestFirst}");
        long bound = before ?? long.MaxValue;
        RowRange numbers = Ledger.Movements.Numbers(connection);
        Movement[] rows = SegmentedIndex.NewestFirst(sql, numbers, bound, limit, (text, segment) =>
            connection.Query<Movement>(text, new
            {
                productId,
                before = bound,
                segment.SegmentStart,
                segment.NewestSegment,
                segment.OldestSegment,
                segment.Limit,
            }));
        return rows.Length < limit && OpeningBalance(connection, productId) is { } opening ? [.. rows, opening] : rows;
    }

    internal long CountMovements(SqliteConnection connection, string productId, long atMost)
    {
        var sql = new SegmentQueries($"SELECT 1 {IncompleteSegment}", $"SELECT 1 {IndexedSegments}");
        long movements = SegmentedIndex.Count(sql, Ledger.Movements.Numbers(connection), atMost, (text, segment) =>
            connection.ExecuteScalar<long>(text, new
            {
                productId,
                segment.SegmentStart,
                segment.NewestSegment,
                segment.OldestSegment,
                segment.Limit,
            }));
        return movements < atMost && OpeningBalance(connection, productId) is not null ? movements + 1 : movements;
    }

    // The sum of a product's movements that were deleted is the last row of its list.
    private static Movement? OpeningBalance(SqliteConnection connection, string productId) =>
        connection.QuerySingleOrDefault<Movement>("""
            SELECT 0 AS Id, @kind AS Kind, on_hand AS Quantity, NULL AS OrderId, at AS At,
                on_hand AS OnHand, reserved AS Reserved
            FROM opening_balances WHERE product_id = @productId
            """, new { productId, kind = Movement.OpeningBalance });

    private StockLevels LoadLevels() => new(
        _database.Rows("SELECT product_id, on_hand, reserved, last_updated, is_retired FROM stock",
            static row => Level(row) with { IsRetired = row.GetBoolean(4) }),
        _database.Rows("""
            SELECT product_id, on_hand, reserved, at FROM movements
            WHERE id > (SELECT newest_movement FROM stock_checkpoint) ORDER BY id
            """, Level));

    private static StockLevel Level(SqliteDataReader row) =>
        new(row.GetString(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3));
}
