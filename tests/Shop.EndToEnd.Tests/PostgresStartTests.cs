using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Shop.Host;
using Shop.Platform;

namespace Shop.EndToEnd.Tests;

/// <summary>Starts of a host on a server that is not as it should be, and on one that is a version ahead.</summary>
[NonParallelizable]
internal sealed class PostgresStartTests : OwnClusterFixture
{
    // An address of its own, so that no port can be in use.
    private readonly IPAddress _ip = new(
        [127, (byte)Random.Shared.Next(1, 255), (byte)Random.Shared.Next(256), (byte)Random.Shared.Next(1, 255)]);

    [Test]
    public async Task Given_a_role_without_rights_then_the_start_says_so_in_one_line() =>
        await EndsAsync($"{Address};Username=poor", "ConnectionStrings:Shop can't be used", "permission denied");

    [Test]
    public async Task Given_a_wrong_password_then_the_start_says_so_in_one_line() =>
        await EndsAsync(
            Tls("right.pem", "wrong"), "ConnectionStrings:Shop can't be used", "password authentication failed");

    [Test]
    public async Task Given_a_server_that_is_too_old_then_the_start_says_so_in_one_line()
    {
        // Its answers say version 12.
        await using var old = new PostgresProxy(Address, () => null)
        {
            Answered = static (message, _) =>
            {
                int name = message.IndexOf("server_version\0"u8);
                if (name >= 0) "12"u8.CopyTo(message[(name + "server_version\0".Length)..]);
            },
        };
        await EndsAsync(old.Address, "names PostgreSQL 12", "too old: Shop needs 13 or later");
    }

    [Test]
    public async Task Given_a_certificate_that_is_not_the_servers_then_the_start_says_so_in_one_line_and_with_the_right_one_it_works()
    {
        await EndsAsync(Tls("wrong.pem", "right"), "ConnectionStrings:Shop can't be used", "certificate");
        using ShopProcess shop = await ShopProcess.StartAsync(
            Folder, [$"--ConnectionStrings:Shop={Tls("right.pem", "right")}"]);
        Assert.That((int)(await shop.PlaceAsync("prod_0")).Response.StatusCode, Is.EqualTo(201));
        await using var source = NpgsqlDataSource.Create(Address + ";Pooling=false");
        await using NpgsqlCommand command = source.CreateCommand(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
            + "WHERE datname = current_database() AND application_name LIKE 'shop-%'");
        Assert.That(await command.ExecuteScalarAsync(), Is.True, "all connections are encrypted");
    }

    [Test]
    public async Task Given_a_server_that_is_not_there_yet_then_the_start_says_that_it_waits_and_goes_on_once_it_is_there()
    {
        Cluster.Stop();
        ShopProcess shop;
        try
        {
            shop = new ShopProcess(Folder, $"--ConnectionStrings:Shop={Address}");
            await Eventually.IsAsync(() => Task.FromResult(shop.Log),
                Does.Contain("Waiting up to 30 s for the database server"));
        }
        finally
        {
            Cluster.StartAgain();
        }

        using (shop)
        {
            Assert.That(await shop.HasStartedAsync(), Is.True, shop.Log);
            Assert.That((int)(await shop.PlaceAsync("prod_0")).Response.StatusCode, Is.EqualTo(201));
        }
    }

    [Test]
    public async Task Given_another_host_that_migrates_then_the_start_says_that_it_waits_and_goes_on_after_it()
    {
        await using var source = NpgsqlDataSource.Create(Address + ";Pooling=false");
        await using NpgsqlConnection other = await source.OpenConnectionAsync();
        await using NpgsqlTransaction turn = await other.BeginTransactionAsync();
        await using (NpgsqlCommand take = other.CreateCommand())
        {
            take.CommandText = "SELECT pg_advisory_xact_lock(hashtext('shop orders'))";
            await take.ExecuteNonQueryAsync();
        }

        using var shop = new ShopProcess(Folder, $"--ConnectionStrings:Shop={Address}");
        await Eventually.IsAsync(() => Task.FromResult(shop.Log),
            Does.Contain("Waiting up to 60 s for another host, which migrates the schema orders"));
        await turn.RollbackAsync();
        Assert.That(await shop.HasStartedAsync(), Is.True, shop.Log);
    }

    [Test]
    public async Task Given_a_server_that_is_not_there_within_30_s_then_the_start_fails_and_says_so_in_one_line()
    {
        var clock = new AheadClock();
        await using WebApplication shop = ShopHost.Build(
            [$"--Shop:DataDirectory={Folder}", $"--ConnectionStrings:Shop=Host={Folder}", "--Shop:Products:Port=0",
                "--Shop:Orders:Port=0", "--Shop:Inventory:Port=0", "--Logging:LogLevel:Default=None"],
            services => services.AddSingleton<TimeProvider>(clock));
        long start = clock.GetTimestamp();
        Task starting = shop.StartAsync();
        await Eventually.IsSoAsync(() =>
        {
            clock.Move(TimeSpan.FromSeconds(1));
            return starting.IsCompleted;
        });
        Assert.That(clock.GetElapsedTime(start), Is.GreaterThan(TimeSpan.FromSeconds(30)));
        // The program prints it as it is, and ends with 1.
        Assert.That(() => starting, Throws.InstanceOf<ShopStartException>().With.Message
            .StartsWith("ConnectionStrings:Shop names a server that did not answer within 30 s: ")
            .And.Message.Not.Contains("\n"));
    }

    [Test]
    public async Task Given_a_schema_to_which_a_next_version_has_added_columns_then_hosts_of_this_version_go_on_and_start()
    {
        string[] arguments = [$"--ConnectionStrings:Shop={Address}"];
        using ShopProcess before = await ShopProcess.StartAsync(Folder, arguments);
        await UseAsync(before);
        await using var source = NpgsqlDataSource.Create(Address);
        await using NpgsqlCommand migrate = source.CreateCommand("""
            DO $$
            DECLARE t record;
            BEGIN
                FOR t IN SELECT schemaname, tablename FROM pg_tables
                    WHERE schemaname IN ('products', 'orders', 'inventory') AND tablename <> 'schema_versions' LOOP
                    EXECUTE format('ALTER TABLE %I.%I ADD COLUMN next_version text NOT NULL DEFAULT ''new''',
                        t.schemaname, t.tablename);
                    EXECUTE format('INSERT INTO %I.schema_versions (scriptname, applied)
                        SELECT ''999_next.sql'', now()
                        WHERE NOT EXISTS (SELECT 1 FROM %I.schema_versions WHERE scriptname = ''999_next.sql'')',
                        t.schemaname, t.schemaname);
                END LOOP;
            END $$
            """);
        await migrate.ExecuteNonQueryAsync();
        await UseAsync(before);
        using ShopProcess after = await ShopProcess.StartAsync(
            Directory.CreateDirectory(Path.Combine(Folder, "after")).FullName, arguments);
        await UseAsync(after);
        await UseAsync(before);
    }

    /// <summary>Every kind of write, and reads.</summary>
    protected override PostgresCluster Start()
    {
        (string certificate, string key) = Certificate(_ip);
        File.WriteAllText(Path.Combine(Folder, "right.pem"), certificate);
        File.WriteAllText(Path.Combine(Folder, "wrong.pem"), Certificate(_ip).Certificate);
        PostgresCluster cluster = PostgresCluster.StartOwn(
            [("server.crt", certificate), ("server.key", key),
                ("pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.0/8 scram-sha-256\n")],
            $"listen_addresses={_ip}", "ssl=on");
        cluster.Execute("CREATE ROLE shop LOGIN PASSWORD 'right' SUPERUSER");
        cluster.Execute("CREATE ROLE poor LOGIN");
        return cluster;
    }

    private static async Task UseAsync(ShopProcess host)
    {
        string product = await host.ProductAsync(10);
        await Eventually.IsSoAsync(async () => await host.Inventory.CodeAsync($"/inventory/{product}") == 200);
        // Thrice, so that statements are prepared.
        for (int n = 0; n < 3; n++)
        {
            var change = new { name = $"Thing {n}", price = 1m };
            Assert.That(
                (int)(await host.Products.SendJsonAsync(HttpMethod.Put, $"/products/{product}", change))
                .Response.StatusCode, Is.EqualTo(200));
            Assert.That(
                (int)(await host.Inventory.PostAsync(
                "/inventory/increase", new { product_id = product, quantity = 1 },
                ("Idempotency-Key", Guid.NewGuid().ToString()))).Response.StatusCode, Is.EqualTo(200));
            (HttpResponseMessage placed, System.Text.Json.Nodes.JsonNode? order) = await host.PlaceAsync(
                product, 1, Guid.NewGuid().ToString(), Guid.NewGuid().ToString());
            Assert.That((int)placed.StatusCode, Is.EqualTo(201), order?.ToJsonString());
            foreach (string verb in n == 0 ? ["pay", "ship", "deliver"] : new[] { "cancel" })
                Assert.That(
                    (int)(await host.Orders.PostAsync($"/orders/{order!["order_id"]}/{verb}")).Response.StatusCode,
                    Is.EqualTo(200));
            Assert.That(await host.Orders.CodeAsync($"/orders/{order!["order_id"]}/events"), Is.EqualTo(200));
            Assert.That(await host.Orders.CodeAsync($"/orders?product_id={product}&status=cancelled"), Is.EqualTo(200));
            Assert.That(await host.Inventory.CodeAsync($"/inventory/{product}/movements"), Is.EqualTo(200));
        }

        await Eventually.IsSoAsync(async () => await host.StockAsync(product) == (12, 12, 0));
        using HttpResponseMessage deleted = await host.Products.DeleteAsync($"/products/{product}");
        Assert.That((int)deleted.StatusCode, Is.EqualTo(204));
    }

    private static (string Certificate, string Key) Certificate(IPAddress ip)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=database", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(ip);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(
            new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, true));
        using X509Certificate2 certificate = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    private async Task EndsAsync(string address, params string[] expected)
    {
        using var shop = new ShopProcess(Folder, $"--ConnectionStrings:Shop={address}");
        Assert.That(await shop.ExitAsync(), Is.EqualTo(1), shop.Log);
        Assert.That(shop.Log.Trim().Split('\n'), Has.Length.EqualTo(1), shop.Log);
        foreach (string part in expected) Assert.That(shop.Log, Does.Contain(part));
    }

    private string Tls(string certificate, string password) => new NpgsqlConnectionStringBuilder(Address)
    {
        Host = $"{_ip}",
        Username = "shop",
        Password = password,
        SslMode = SslMode.VerifyFull,
        RootCertificate = Path.Combine(Folder, certificate),
    }.ConnectionString;
}
