using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Shop.Platform;
using Shop.Platform.Faults;
using Shop.Platform.Modules;

namespace Shop.Testing;

/// <summary>A module's context on a database in PostgreSQL, as one host has it.</summary>
internal sealed class ModuleSchema : IAsyncDisposable
{
    private ModuleSchema(ModuleContext context, string address) => (Context, Address) = (context, address);

    public ModuleContext Context { get; }

    /// <summary>The connection string of the database: another host opens it by this.</summary>
    public string Address { get; }

    public static async Task<ModuleSchema> OpenAsync(IShopModule module, string? address = null)
    {
        address ??= PostgresCluster.Shared.CreateDatabase();
        IConfiguration configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([new(ShopSettings.ConnectionKey, address)]).Build();
        var context = new ModuleContext(module.Identity, ShopSettings.Read(configuration, [module.Identity]),
            TimeProvider.System, NullLoggerFactory.Instance);
        await context.Postgres.OpenAsync(module.GetType().Assembly, context.Metrics, context.Registry,
            new FaultCatalogue().Commits, default);
        return new ModuleSchema(context, address);
    }

    /// <summary>Runs a statement in the schema.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using NpgsqlCommand command = Context.Postgres.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Runs a statement in a session.</summary>
    public static async Task ExecuteAsync(NpgsqlConnection session, string sql)
    {
        await using var command = new NpgsqlCommand(sql, session);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>A session whose transactions may wait for as long as a test likes.</summary>
    public async Task<NpgsqlConnection> OpenSessionAsync()
    {
        NpgsqlConnection session = await Context.Postgres.Source.OpenConnectionAsync();
        await ExecuteAsync(session, "SET idle_in_transaction_session_timeout = 0");
        return session;
    }

    /// <summary>Waits until so many statements of this database, or more, wait for a lock.</summary>
    public Task WaitForLocksAsync(long statements) => Eventually.IsAsync(
        async () => (await Context.Postgres.RowsAsync("""
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            """, row => row.GetInt64(0), CancellationToken.None))[0], Is.AtLeast(statements));

    public ValueTask DisposeAsync() => Context.Postgres.DisposeAsync();
}
