namespace Shop.Platform.Data;

/// <summary>The rows of a module on one engine, as <see cref="DataCopy"/> reads and writes them. Every failure
/// is a <see cref="ShopStartException"/>.</summary>
internal interface IModuleRows : IAsyncDisposable
{
    /// <summary>Reads rows, one after the other.</summary>
    IAsyncEnumerable<object?[]> ReadAsync(CopiedTable table);

    /// <summary>Inserts rows as they come.</summary>
    Task WriteAsync(CopiedTable table, IAsyncEnumerable<object?[]> rows);

    /// <summary>Runs the closing statements of the module; see <see cref="ModuleTables"/>.</summary>
    Task EndAsync(ModuleTables tables);

    /// <summary>Commits what was written; without it, nothing is kept.</summary>
    Task CommitAsync();
}
