using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Npgsql;

namespace Shop.EndToEnd.Tests;

/// <summary>Hosts that share few sessions of PostgreSQL, by PgBouncer and the file that the shop has for it.</summary>
[NonParallelizable]
[Category("CI")]
internal sealed partial class PoolerTests : OwnClusterFixture
{
    private static readonly string[] Services = ["products", "orders", "inventory"];

    private Process _pooler = null!;

    protected override PostgresCluster Start() => PostgresCluster.StartOwn();

    [SetUp]
    public async Task StartPoolerAsync()
    {
        string program = ProxyTests.Find("pgbouncer");
        var database = new NpgsqlConnectionStringBuilder(Address);
        string ini = Repository.Text("scale", "pgbouncer.ini");
        // Its own folder and server, and no passwords.
        ini = ini.Replace("host=postgres port=5432 dbname=shop",
                $"host={database.Host} user=postgres dbname={database.Database}", StringComparison.Ordinal)
            .Replace("listen_addr = *", $"unix_socket_dir = {database.Host}", StringComparison.Ordinal)
            .Replace("auth_type = scram-sha-256", "auth_type = any", StringComparison.Ordinal);
        string file = Path.Combine(database.Host!, "pgbouncer.ini"); // there the user of the server may read it
        await File.WriteAllTextAsync(file, AuthFile().Replace(ini, ""));
        _pooler = PostgresCluster.StartBeside(program, file);
    }

    [TearDown]
    public void StopPooler()
    {
        _pooler.Kill();
        _pooler.WaitForExit();
        _pooler.Dispose();
    }

    [Test]
    public async Task Given_hosts_that_start_together_behind_a_pooler_when_they_sell_the_same_then_all_agree_and_each_unit_is_sold_once()
    {
        const int Hosts = 6, Stock = 40;
        ShopProcess[] hosts = await Task.WhenAll(Enumerable.Range(0, Hosts).Select(HostAsync));
        try
        {
            string scarce = await hosts[0].ProductAsync(Stock), product = await hosts[1].ProductAsync(1000);
            int[] codes = await Task.WhenAll(Enumerable.Range(0, 2 * Stock).Select(
                async n => (int)(await hosts[n % Hosts].PlaceAsync(scarce)).Response.StatusCode));
            Assert.That(codes.Order(), Is.EqualTo(Enumerable.Repeat(201, Stock).Concat(Enumerable.Repeat(409, Stock))));
            Assert.That(await hosts[2].StockAsync(scarce), Is.EqualTo((0L, (long)Stock, (long)Stock)));

            // Each key comes to two hosts at once.
            codes = await Task.WhenAll(Enumerable.Range(0, 2 * Stock).Select(async n =>
                (int)(await hosts[n % Hosts].PlaceAsync(product, key: $"{n / 2}")).Response.StatusCode));
            Assert.That(codes, Is.All.EqualTo(201));
            await Eventually.IsAsync(() => hosts[2].StockAsync(product),
                Is.EqualTo((1000L - Stock, 1000L, (long)Stock)));

            var change = new { name = "Another thing", price = 12.5m };
            (HttpResponseMessage changed, JsonNode? answer) = await hosts[0].Products.SendJsonAsync(
                HttpMethod.Put, $"/products/{product}", change);
            Assert.That((int)changed.StatusCode, Is.EqualTo(200), answer?.ToJsonString());
            foreach (ShopProcess host in hosts)
            {
                await Eventually.IsAsync(
                    async () => (string)(await host.Products.GetJsonAsync($"/products/{product}"))["name"]!,
                    Is.EqualTo(change.name));
            }
        }
        finally
        {
            foreach (ShopProcess host in hosts) host.Dispose();
        }
    }

    [Test]
    public async Task Given_a_database_that_is_away_behind_a_pooler_then_an_order_and_a_start_wait_and_go_on_once_it_is_there()
    {
        // A session for each statement, so that none waits in PgBouncer instead of being refused by it.
        using ShopProcess host = await ShopProcess.StartAsync(
            FolderOf(1), [.. Arguments(";Pooling=false"), "--Shop:RequestTimeout=60"]);
        string product = await host.ProductAsync(10);
        Task<(HttpResponseMessage Response, JsonNode? Body)> order;
        ShopProcess other;
        Cluster.Stop();
        try
        {
            foreach (HttpClient service in new[] { host.Products, host.Orders, host.Inventory })
                await IsRefusedAsync(service);
            other = new ShopProcess(FolderOf(2), Arguments());
            await Eventually.IsAsync(() => Task.FromResult(other.Log), Does.Contain("Waiting up to 30 s"));
            order = host.PlaceAsync(product);
            await IsRefusedAsync(host.Inventory);
        }
        finally
        {
            Cluster.StartAgain();
        }

        using (other)
        {
            Assert.That((int)(await order).Response.StatusCode, Is.EqualTo(201));
            Assert.That(await other.HasStartedAsync(), Is.True, other.Log);
            await Eventually.IsAsync(() => other.StockAsync(product), Is.EqualTo((9L, 10L, 1L)));
        }
    }

    // PgBouncer answers by itself while its server is away.
    private static Task IsRefusedAsync(HttpClient service) => Eventually.IsAsync(async () =>
    {
        using HttpResponseMessage answer = await service.GetAsync("/health/ready");
        return await answer.Content.ReadAsStringAsync();
    }, Does.Contain("08P01"));

    private string Pooled(string service) => new NpgsqlConnectionStringBuilder(Address)
    {
        Port = 6432,
        Database = service,
        MaxAutoPrepare = 0,
    }.ConnectionString;

    private Task<ShopProcess> HostAsync(int number) => ShopProcess.StartAsync(FolderOf(number), Arguments());

    private string FolderOf(int number) =>
        Directory.CreateDirectory(Path.Combine(Folder, $"{number}-{Guid.NewGuid():N}")).FullName;

    private string[] Arguments(string more = "") =>
        [.. Services.Select(service => $"--ConnectionStrings:{service}={Pooled(service)}{more}")];

    [GeneratedRegex(@"^auth_file.*\n", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex AuthFile();
}
