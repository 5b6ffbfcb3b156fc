// One violation of each rule, for the rules to be shown on. Nothing else uses these types.
#pragma warning disable CA1812, CA1852, CA1823, IDE0044, IDE0051, CA1802
using Prometheus;

namespace Samples.Inventory
{
    internal sealed class StockSecret;

    internal sealed class KnowsOrders
    {
        public Orders.Inside? Order { get; set; }
    }
}

namespace Samples.Inventory.Contracts
{
    public interface IStock;
}

namespace Samples.Products
{
    internal sealed class UsesTheContract
    {
        public Inventory.Contracts.IStock? Stock { get; set; }
    }

    internal sealed class TouchesTheInside
    {
        public Inventory.StockSecret? Secret { get; set; }
    }

    public sealed class ShownToTheWorld;
}

namespace Samples.Orders
{
    internal sealed class Inside;

    internal sealed class KnowsSqlite
    {
        public static string Wrong => new Microsoft.Data.Sqlite.SqliteConnection().ConnectionString;
    }

    internal sealed class CatchesAnErrorOfSqlite
    {
        public static void Wrong()
        {
            try
            {
                GC.KeepAlive(null);
            }
            catch (Microsoft.Data.Sqlite.SqliteException exception)
            {
                throw new InvalidOperationException("Wrong.", exception);
            }
        }
    }

    internal sealed class SpeaksSql
    {
        public static string Wrong => "DELETE FROM orders WHERE id = 1";
    }

    internal sealed class OrderMetrics
    {
        public static Counter Right(IMetricFactory metrics) => metrics.CreateCounter("right_total", "Help.");
    }

    internal sealed class DeclaresAMetric
    {
        public static Counter Wrong(IMetricFactory metrics) => metrics.CreateCounter("wrong_total", "Help.");
    }

    internal sealed record RightBody(Shop.Platform.UtcTime At);

    internal sealed record TellsTimeItsOwnWayBody(DateTime? At);
}

namespace Samples.Orders.Storage.Sqlite
{
    internal sealed class QueryStore
    {
        public static object Wrong(System.Data.IDbConnection connection) =>
            Dapper.SqlMapper.Query<string>(connection, "SELECT id FROM orders");
    }

    internal sealed class SqliteOrderStore
    {
        public static string Right => "SELECT 1 FROM orders";

        public Microsoft.Data.Sqlite.SqliteConnection? Connection { get; set; }
    }

    internal sealed class KnowsPostgres
    {
        public Npgsql.NpgsqlConnection? Wrong { get; set; }
    }
}

namespace Samples.Orders.Storage.Postgres
{
    internal sealed class PostgresOrderStore
    {
        public Npgsql.NpgsqlConnection? Right { get; set; }
    }

    internal sealed class KnowsSqlite
    {
        public Microsoft.Data.Sqlite.SqliteConnection? Wrong { get; set; }
    }
}

namespace Samples.Platform
{
    internal sealed class KnowsAType
    {
        public Orders.Inside? Wrong { get; set; }
    }

    internal sealed class KnowsAnId
    {
        public static string Wrong => "The example is prod_0.";
    }

    internal sealed class KnowsARoute
    {
        public static string Wrong(string id) => $"/orders/{id}";
    }

    internal sealed class KnowsPostgres
    {
        public Npgsql.NpgsqlDataSource? Wrong { get; set; }
    }

    internal sealed class KnowsSqlite
    {
        public SQLitePCL.sqlite3? Wrong { get; set; }
    }
}

namespace Samples.Platform.Data.Postgres
{
    internal sealed class Database
    {
        public Npgsql.NpgsqlConnection? Right { get; set; }
    }
}

namespace Samples.Platform.Data.Sqlite
{
    internal sealed class Database
    {
        public SQLitePCL.sqlite3? Right { get; set; }
    }
}
