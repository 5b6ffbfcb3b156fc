using Npgsql;
using Shop.Platform.Data.Postgres;

namespace Shop.Platform.Tests;

/// <summary>What the shop adds to a connection string, and what it leaves as it was set.</summary>
internal sealed class ConnectionStringTests
{
    [TestCase(1, 1, 1000, 5000)]
    [TestCase(9.7, 10, 9700, 5000)]
    [TestCase(10, 10, 10_000, 5000)]
    [TestCase(10.5, 11, 10_500, 5250)]
    [TestCase(37, 37, 37_000, 18_500)]
    public void Given_the_time_that_a_request_may_take_then_sessions_and_statements_end_by_it(
        double seconds, int command, int statement, int idle)
    {
        NpgsqlConnectionStringBuilder address = Complete("Host=db", seconds);
        Assert.That(address.CommandTimeout, Is.EqualTo(command));
        Assert.That(address.Options, Does.Contain($"-c idle_in_transaction_session_timeout={idle} ")
            .And.Contain($"-c statement_timeout={statement} "));
    }

    [Test]
    public void Given_what_is_not_set_then_it_is_what_the_shop_needs()
    {
        NpgsqlConnectionStringBuilder address = Complete("Host=db");
        Assert.That((address.SearchPath, address.ApplicationName, address.MaxPoolSize, address.Timeout,
                address.KeepAlive, address.MaxAutoPrepare, address.AutoPrepareMinUsages),
            Is.EqualTo(("orders", "shop-orders", 7, 5, 30, 100, 2)));
        Assert.That((address.NoResetOnClose, address.Enlist, address.IncludeFailedBatchedCommand),
            Is.EqualTo((true, false, false)));
    }

    [TestCase("Application Name=mine;Maximum Pool Size=3;Timeout=9;Keepalive=4;Max Auto Prepare=0")]
    [TestCase("ApplicationName=mine;MaxPoolSize=3;timeout=9;KEEPALIVE=4;MaxAutoPrepare=0")]
    [TestCase("application name=mine;maximum pool size=3;Timeout=9;Keepalive=4;max auto prepare=0")]
    public void Given_what_is_set_then_it_is_kept_by_whichever_of_its_names(string set)
    {
        NpgsqlConnectionStringBuilder address = Complete($"Host=db;{set};Options=-c work_mem=8MB");
        Assert.That((address.ApplicationName, address.MaxPoolSize, address.Timeout, address.KeepAlive,
                address.MaxAutoPrepare), Is.EqualTo(("mine", 3, 9, 4, 0)));
        Assert.That(address.Options, Does.EndWith(" -c work_mem=8MB").And.Contain("-c enable_seqscan=off "));
    }

    private static NpgsqlConnectionStringBuilder Complete(string text, double seconds = 10) =>
        new(ConnectionStrings.Complete(text, "orders", TimeSpan.FromSeconds(seconds), maxConnections: 7));
}
