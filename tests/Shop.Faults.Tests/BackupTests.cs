using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;

namespace Shop.Faults.Tests;

/// <summary>Backups as docs/backup.md makes them: beside a shop under load, and of one that was stopped.</summary>
[Platform("Linux,MacOsX", Reason = "Signals are sent with kill.")]
internal sealed partial class BackupTests
{
    private string _root = null!;
    private string _data = null!;

    private string Restored => Path.Combine(_root, "restored");

    [SetUp]
    public void MakeDirectories()
    {
        _root = Directory.CreateTempSubdirectory("shop-backup-").FullName;
        _data = Directory.CreateDirectory(Path.Combine(_root, "data")).FullName;
    }

    [TearDown]
    public void RemoveDirectories() => Directory.Delete(_root, recursive: true);

    [Test]
    [Category("CI")]
    public async Task Given_orders_that_come_and_change_when_a_backup_is_made_beside_them_then_it_has_all_that_was_acknowledged_and_restores_to_books_that_agree()
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_data);
        using var end = new CancellationTokenSource();
        var acknowledged = new System.Collections.Concurrent.ConcurrentQueue<string>();
        Task<int>[] clients = [.. Enumerable.Range(0, 16).Select(_ => TradeAsync(shop, acknowledged, end.Token))];
        for (int round = 0; round < 3; round++)
        {
            int before = acknowledged.Count;
            await Eventually.IsSoAsync(() => Task.FromResult(acknowledged.Count >= before + 200));
            string[] sure = [.. acknowledged];
            string backup = Path.Combine(_root, $"backup-{round}");
            (int code, string output) = await ShopVerb.RunAsync("backup", backup, $"--Shop:DataDirectory={_data}");
            Assert.That(code, Is.Zero, output);
            Assert.That(Directory.GetFiles(backup).Select(Path.GetFileName),
                Is.EquivalentTo(new[] { "backup.json", "inventory.db", "orders.db", "products.db" }));
            (code, output) = await ShopVerb.RunAsync("check", backup);
            Assert.That(code, Is.Zero, output);
            string restored = Path.Combine(_root, $"restored-{round}");
            (code, output) = await ShopVerb.RunAsync("restore", backup, $"--Shop:DataDirectory={restored}");
            Assert.That(code, Is.Zero, output);
            using ShopProcess again = await ShopProcess.StartAsync(restored);
            Assert.That(again.Log, Does.Not.Contain("disagree"));
            foreach (string id in sure) await again.Orders.GetJsonAsync($"/orders/{id}");
            await BalancesAsync(again);
        }

        await end.CancelAsync();
        int refused = (await Task.WhenAll(clients)).Sum();
        Assert.That(refused, Is.Zero, "a client noticed the backup");
        shop.Signal(9);
        await shop.ExitAsync();
        (int checkedCode, string differences) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={_data}");
        Assert.That(checkedCode, Is.Zero, differences);
    }

    [TestCase(15)]
    [TestCase(9)]
    public async Task Given_a_shop_that_has_ended_when_it_is_backed_up_and_restored_then_the_copy_says_the_same_and_the_original_goes_on(
        int signal)
    {
        string id = await OrderAndEndAsync(signal);

        string backup = Path.Combine(_root, "backup");
        // Each product in stock has a movement that began it, and the order has one.
        const string Rows = "1 orders, 20[01] movements, 200 products, ";
        DateTime before = DateTime.UtcNow;
        (int code, string said) = await ShopVerb.RunAsync("backup", backup, $"--Shop:DataDirectory={_data}");
        Assert.That(code, Is.Zero, said);
        Assert.That(said, Does.Match(Rows));
        Describes(backup, before, DateTime.UtcNow);
        // A disk of its own has such a folder.
        Directory.CreateDirectory(Path.Combine(Restored, "lost+found"));
        (code, said) = await ShopVerb.RunAsync("restore", backup, $"--Shop:DataDirectory={Restored}");
        Assert.That(code, Is.Zero, said);
        Assert.That(said, Does.Match(Rows));
        foreach (string directory in new[] { _data, Restored })
        {
            using ShopProcess shop = await ShopProcess.StartAsync(directory);
            await shop.Orders.GetJsonAsync($"/orders/{id}");
            await shop.Orders.GetJsonAsync("/health/ready");
            await BalancesAsync(shop);
        }
    }

    // A start writes an opening mark, and then another. A shop that is killed between them leaves the opening mark as
    // the newest. A backup has no log, and with that mark it would look like a copy whose log was lost.
    [Test]
    public async Task Given_a_shop_that_is_killed_between_the_marks_of_its_start_when_it_is_backed_up_then_the_copy_can_be_checked_restored_and_used()
    {
        string id = await OrderAndEndAsync(9);
        string killed = Directory.CreateDirectory(Path.Combine(_root, "killed")).FullName;

        foreach (string file in Directory.GetFiles(_data, "*.db"))
        {
            using var open = new SqliteConnection($"Data Source={file};Pooling=false");
            open.Open();
            using SqliteCommand command = open.CreateCommand();
            command.CommandText = "PRAGMA wal_autocheckpoint = 0; UPDATE book_mark SET is_opening = 1";
            Assert.That(command.ExecuteNonQuery(), Is.EqualTo(1), file);
            // The log is gone when the last connection is closed.
            foreach (string kind in new[] { "", "-wal" })
                File.Copy(file + kind, Path.Combine(killed, Path.GetFileName(file) + kind));
        }

        string backup = Path.Combine(_root, "backup");
        foreach (string[] verb in new string[][]
        {
            ["backup", backup, $"--Shop:DataDirectory={killed}"], ["check", backup],
            ["restore", backup, $"--Shop:DataDirectory={Restored}"],
        })
        {
            (int code, string said) = await ShopVerb.RunAsync(verb);
            Assert.That(code, Is.Zero, $"{verb[0]}: {said}");
        }

        using ShopProcess again = await ShopProcess.StartAsync(Restored);
        await again.Orders.GetJsonAsync($"/orders/{id}");
        (HttpResponseMessage answer, _) = await again.Orders.PostAsync("/orders", Http.Order("prod_0"));
        Assert.That((int)answer.StatusCode, Is.EqualTo(201));
    }

    [Test]
    public async Task Given_what_is_no_whole_backup_or_no_empty_directory_when_restored_then_one_line_says_so_and_nothing_is_touched()
    {
        using (ShopProcess shop = await ShopProcess.StartAsync(_data)) shop.Signal(15);
        string backup = Path.Combine(_root, "backup");
        Assert.That((await ShopVerb.RunAsync("backup", backup, $"--Shop:DataDirectory={_data}")).Code, Is.Zero);
        await RefusesAsync("restore", backup, _data, "is not empty");
        await RefusesAsync("backup", backup, _data, "exists and is not empty");
        await RefusesAsync("backup", Path.Combine(_root, "other"), Restored, "is missing");
        await RefusesAsync("restore", _data, Restored, "is not a backup");
        await using (var file = new FileStream(Path.Combine(backup, "orders.db"), FileMode.Open))
        {
            file.Position = file.Length - 1;
            file.WriteByte(1);
        }

        await RefusesAsync("restore", backup, Restored, "orders.db is damaged");
        foreach (string manifest in new[]
        {
            "", "null", "{}", """{"format":1}""", """{"format":1,"files":[null]}""",
            """{"format":1,"files":[{"bytes":1,"sha256":"00","rows":{}}]}""",
            """{"format":1,"files":[{"name":"orders.db","bytes":1,"sha256":"00"}]}""",
            """{"format":1,"files":[{"name":"../data/orders.db","bytes":1,"sha256":"00","rows":{}}]}""",
        })
        {
            await File.WriteAllTextAsync(Path.Combine(backup, "backup.json"), manifest);
            string why = manifest == "{}" ? "has format 0" : "backup.json is damaged";
            await RefusesAsync("restore", backup, Restored, why);
        }

        Assert.That(Change(Path.Combine(_data, "orders.db"), "UPDATE book_mark SET shop = 'another'"), Is.EqualTo(1));
        await RefusesAsync("backup", Path.Combine(_root, "other"), _data, "the books disagree");
        Assert.That(Directory.GetDirectories(_root).Select(Path.GetFileName),
            Is.EquivalentTo(new[] { "data", "backup" }), "nothing half done is left");
    }

    [Test]
    public async Task Given_a_backup_that_is_killed_at_any_moment_then_nothing_looks_like_a_backup_that_is_none()
    {
        using (ShopProcess shop = await ShopProcess.StartAsync(_data)) shop.Signal(15);
        for (int round = 0; round < 8; round++)
        {
            string backup = Path.Combine(_root, $"backup-{round}");
            using var process = Process.Start(ShopProgram.Start("backup", backup, $"--Shop:DataDirectory={_data}"))!;
            int files = round;
            // The folder has another name when it is complete, also while it is looked into.
            var all = new EnumerationOptions { RecurseSubdirectories = true };
            int Made() => Directory.GetFiles(_root, "*", all)
                .Count(file => file.Contains($"/backup-{files}", StringComparison.Ordinal));
            await Eventually.IsSoAsync(() => Task.FromResult(process.HasExited
                || (Directory.GetDirectories(_root, $"backup-{files}*").Length > 0 && Made() >= files / 2)));
            process.Kill();
            await process.WaitForExitAsync();
            if (!Directory.Exists(backup)) continue;
            Assert.That((await ShopVerb.RunAsync("restore", backup,
                $"--Shop:DataDirectory={Path.Combine(_root, $"restored-{round}")}")).Code, Is.Zero);
        }
    }

    [TestCase("inventory.db", "UPDATE stock SET on_hand = 5 WHERE product_id = 'prod_3'",
        "the level of prod_3 is 5 on hand")]
    [TestCase("inventory.db", "UPDATE movements SET quantity = 5 WHERE product_id = 'prod_3'",
        "prod_3 says 1000000 on hand")]
    [TestCase("inventory.db", "DELETE FROM movements WHERE kind = 'reserved'", "names movements that are not its own")]
    [TestCase("inventory.db", "DELETE FROM reservations", "is created, but holds no units")]
    [TestCase("orders.db", "UPDATE orders SET total_cents = 1", "has a total of 1 cents")]
    [TestCase("orders.db", "UPDATE orders SET status = 'shipped'", "is shipped, but still holds units")]
    [TestCase("orders.db", "UPDATE orders SET status = 'paid'", "is paid, but its last event says created")]
    [TestCase("orders.db", "DELETE FROM order_items", "has no lines")]
    [TestCase("orders.db", "UPDATE order_items SET quantity = quantity + 1", "are held for it; its lines say 2")]
    [TestCase("orders.db", "INSERT INTO pending_stock VALUES ('ghost', 'shipped')",
        "the stock is to follow order ghost")]
    [TestCase("orders.db", "UPDATE idempotency_keys SET answer = 'ghost'", "stands for an order that is not there")]
    [TestCase("products.db", "DELETE FROM products WHERE id = 'prod_3'", "prod_3 has a stock, but is no product")]
    [TestCase("products.db", "UPDATE book_mark SET shop = 'another'", "is of another shop")]
    public async Task Given_books_with_a_difference_when_they_are_checked_then_it_is_named_and_the_exit_code_is_1(
        string file, string change, string difference)
    {
        using (ShopProcess shop = await ShopProcess.StartAsync(_data))
        {
            await shop.Orders.PostAsync("/orders", Http.Order("prod_0"), ("Idempotency-Key", "a-key"));
            shop.Signal(15);
            await shop.ExitAsync();
        }

        (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={_data}");
        Assert.That(code, Is.Zero, output);
        Assert.That(Change(Path.Combine(_data, file), change), Is.Positive);
        (code, output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={_data}");
        Assert.That((code, output), Is.EqualTo((1, output)));
        Assert.That(output, Does.Contain(difference));
    }

    [Test]
    public async Task Given_a_thousand_orders_and_some_in_every_status_then_their_books_agree_and_whatever_is_then_changed_is_named()
    {
        var ids = new Dictionary<string, string>(StringComparer.Ordinal);
        using (ShopProcess shop = await ShopProcess.StartAsync(_data))
        {
            foreach (string life in new[] { "", "pay", "pay,ship", "pay,ship,deliver", "cancel" })
            {
                (_, JsonNode? order) = await shop.Orders.PostAsync("/orders", Http.Order("prod_1", 3));
                string id = (string)order!["order_id"]!, status = "created";
                foreach (string step in life.Split(',', StringSplitOptions.RemoveEmptyEntries))
                    status = (string)(await shop.Orders.PostAsync($"/orders/{id}/{step}")).Json!["status"]!;
                ids[status] = id;
            }

            // More than an index has in one piece.
            await Parallel.ForAsync(0, 1030, new ParallelOptions { MaxDegreeOfParallelism = 64 },
                async (_, _) => await shop.Orders.PostAsync("/orders", Http.Order("prod_2")));
            shop.Signal(15);
            await shop.ExitAsync();
        }

        string Of(string status) => $"order {ids[status]}";
        string Its(string status) => $"(SELECT seq FROM orders WHERE id = '{ids[status]}')";
        (string File, string Change, string? Difference)[] cases =
        [
            ("orders", "UPDATE orders SET customer_id = 'x' WHERE seq = 9",
                "1 orders are not in the index by customer"),
            ("orders", "DELETE FROM orders_by_product WHERE order_seq = 9",
                "1 order lines are not in the index by product"),
            ("orders", "INSERT INTO orders_by_customer (run, customer_id, order_seq) VALUES (0, 'x', 99999)",
                "1 entries of the index by customer belong to no order"),
            ("orders", "INSERT INTO orders_by_product (run, product_id, order_seq) VALUES (0, 'x', 99999)",
                "1 entries of the index by product belong to no order"),
            ("inventory", $"DELETE FROM reservations WHERE order_id = '{ids["paid"]}'",
                $"{Of("paid")} is paid, but holds no units"),
            ("orders", $"UPDATE orders SET status = 'delivered' WHERE id = '{ids["paid"]}'",
                $"{Of("paid")} is delivered, but still holds units"),
            ("orders", $"UPDATE order_items SET quantity = 4 WHERE order_seq = {Its("created")}",
                $"{Of("created")} is created, and 3 units of prod_1 are held for it; its lines say 4"),
            ("orders", $"UPDATE order_items SET quantity = 4 WHERE order_seq = {Its("shipped")}",
                $"{Of("shipped")} is shipped, and 3 units of prod_1 were shipped; its lines say 4"),
            ("orders", $"UPDATE order_items SET quantity = 2 WHERE order_seq = {Its("delivered")}",
                $"{Of("delivered")} is delivered, and 3 units of prod_1 were shipped; its lines say 2"),
            ("orders", $"UPDATE orders SET status = 'cancelled' WHERE id = '{ids["shipped"]}'",
                $"{Of("shipped")} is cancelled, and 3 units of prod_1 were shipped; its lines say 3"),
            ("orders", $"UPDATE order_items SET snapshot = (SELECT number FROM product_snapshots WHERE product_id = "
                + $"'prod_2'), quantity = 0 WHERE order_seq = {Its("delivered")}",
                $"{Of("delivered")} has moved units of prod_1, which none of its lines names"),
            ("orders", $"DELETE FROM orders WHERE id = '{ids["created"]}'",
                $"{Of("created")} is not there, but a reservation is held for it"),
            ("orders", $"DELETE FROM orders WHERE id = '{ids["shipped"]}'",
                $"{Of("shipped")} is not there, but its units were shipped"),
            ("orders", $"INSERT INTO pending_stock (order_id, status) VALUES ('{ids["shipped"]}', 'cancelled')",
                $"the stock is to follow {Of("shipped")} to cancelled, but the order is not so"),
            // These are no differences: the next start lets the stock follow, or finds that it has.
            ("orders", $"INSERT INTO pending_stock (order_id, status) VALUES ('{ids["shipped"]}', 'shipped')", null),
            ("orders", $"INSERT INTO pending_stock (order_id, status) VALUES ('{ids["delivered"]}', 'shipped')", null),
            ("orders", $"INSERT INTO pending_stock (order_id, status) VALUES ('{ids["cancelled"]}', 'cancelled')",
                null),
        ];
        foreach ((string file, string change, string? difference) in cases)
        {
            string copy = Directory.CreateDirectory(Path.Combine(_root, "changed")).FullName;
            foreach (string each in Directory.GetFiles(_data))
                File.Copy(each, Path.Combine(copy, Path.GetFileName(each)));
            Assert.That(Change(Path.Combine(copy, $"{file}.db"), change), Is.Positive, change);
            (int code, string output) = await ShopVerb.RunAsync("check", $"--Shop:DataDirectory={copy}");
            Assert.That(code, Is.EqualTo(difference is null ? 0 : 1), $"{change}\n{output}");
            if (difference is not null) Assert.That(output, Does.Contain($"differs: {difference}\n"), change);
            Directory.Delete(copy, recursive: true);
        }
    }

    [Test]
    public async Task Given_the_manual_of_backups_then_its_commands_do_what_it_says_in_their_order()
    {
        string manual = Repository.Text("docs", "backup.md");
        string[][] commands = [.. Command().Matches(manual)
            .Select(match => match.Groups["verb"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        Assert.That(commands.Select(command => command[0]),
            Is.EqualTo(new[] { "backup", "check", "restore", "check", "compact", "accept" }));
        using ShopProcess shop = await ShopProcess.StartAsync(_data);
        await shop.Orders.PostAsync("/orders", Http.Order("prod_0"));
        foreach (string[] command in commands)
        {
            string[] here = [.. command.Select(word => word
                .Replace("/backups/", $"{_root}/backups/", StringComparison.Ordinal)
                .Replace("=data", $"={_data}", StringComparison.Ordinal)
                .Replace("=restored", $"={Restored}", StringComparison.Ordinal))];
            (int code, string output) = await ShopVerb.RunAsync(here);
            Assert.That(code, Is.Zero, $"{string.Join(' ', here)}: {output}");
            if (command[0] != "backup") continue;
            shop.Signal(15);
            await shop.ExitAsync();
        }

        using ShopProcess again = await ShopProcess.StartAsync(Restored);
        await BalancesAsync(again);
    }

    /// <summary>Starts the shop, places an order, and ends the shop by a signal.</summary>
    /// <returns>The order's id.</returns>
    private async Task<string> OrderAndEndAsync(int signal)
    {
        using ShopProcess shop = await ShopProcess.StartAsync(_data);
        (_, JsonNode? order) = await shop.Orders.PostAsync("/orders", Http.Order("prod_0", 3));
        shop.Signal(signal);
        await shop.ExitAsync();
        return (string)order!["order_id"]!;
    }

    /// <returns>The rows that were changed.</returns>
    private static int Change(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=false;Foreign Keys=false");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // a text of the test
        command.CommandText = sql;
#pragma warning restore CA2100
        return command.ExecuteNonQuery();
    }

    // The manifest says what is in the files, which need no log, so they can be read where nothing can be written.
    private static void Describes(string backup, DateTime before, DateTime after)
    {
        JsonNode manifest = JsonNode.Parse(File.ReadAllText(Path.Combine(backup, "backup.json")))!;
        Assert.That((int)manifest["format"]!, Is.EqualTo(1));
        Assert.That((string)manifest["shop_version"]!, Does.Match(@"^\d+\.\d+\.\d+"));
        Assert.That(DateTime.Parse((string)manifest["created_at"]!, System.Globalization.CultureInfo.InvariantCulture,
                System.Globalization.DateTimeStyles.AdjustToUniversal),
            Is.InRange(before.AddMilliseconds(-1), after));
        Assert.That(manifest["files"]!.AsArray().Select(file => (string)file!["name"]!),
            Is.EquivalentTo(new[] { "inventory.db", "orders.db", "products.db" }));
        foreach (JsonNode? file in manifest["files"]!.AsArray())
        {
            string path = Path.Combine(backup, (string)file!["name"]!);
            byte[] bytes = File.ReadAllBytes(path);
            Assert.That(((long)file["bytes"]!, (string)file["sha256"]!), Is.EqualTo((bytes.LongLength,
                Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)))), path);
            Assert.That((bytes[18], bytes[19]), Is.EqualTo(((byte)1, (byte)1)), "no write-ahead log");
            using var connection = new SqliteConnection($"Data Source={path};Mode=ReadOnly;Pooling=false");
            connection.Open();
            using SqliteCommand command = connection.CreateCommand();
            command.CommandText = "SELECT count(*) FROM sqlite_master WHERE type = 'table' "
                + "AND name NOT IN ('sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4')";
            Assert.That((long)command.ExecuteScalar()!, Is.EqualTo(file["rows"]!.AsObject().Count), path);
            foreach ((string table, JsonNode? rows) in file["rows"]!.AsObject())
            {
#pragma warning disable CA2100 // a name from the manifest
                command.CommandText = $"SELECT count(*) FROM {table}";
#pragma warning restore CA2100
                Assert.That((long)command.ExecuteScalar()!, Is.EqualTo((long)rows!), $"{path} {table}");
            }
        }
    }

    [GeneratedRegex(@"^Shop\.Host (?<verb>[^#\n]+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Command();

    private async Task RefusesAsync(string verb, string directory, string data, string why)
    {
        (int code, string output) = await ShopVerb.RunAsync(verb, directory, $"--Shop:DataDirectory={data}");
        Assert.That(code, Is.EqualTo(1), output);
        Assert.That(output.Trim().Split('\n'), Has.Length.EqualTo(1).And.All.Contains(why));
    }

    // Orders in all stages of their lives, and refusals that were not due.
    private static async Task<int> TradeAsync(
        ShopProcess shop, System.Collections.Concurrent.ConcurrentQueue<string> acknowledged, CancellationToken end)
    {
        int refused = 0;
        for (int i = 0; !end.IsCancellationRequested; i++)
        {
            (HttpResponseMessage response, JsonNode? order) = await shop.Orders.PostAsync(
                "/orders", Http.Order("prod_0"));
            if ((int)response.StatusCode != 201)
            {
                refused++;
                continue;
            }

            string id = (string)order!["order_id"]!;
            acknowledged.Enqueue(id);
            string[] steps = (i % 4) switch { 0 => ["pay", "ship"], 1 => ["cancel"], 2 => ["pay"], _ => [] };
            foreach (string step in steps)
            {
                (HttpResponseMessage changed, _) = await shop.Orders.PostAsync($"/orders/{id}/{step}");
                if ((int)changed.StatusCode != 200) refused++;
            }
        }

        return refused;
    }

    // Each open order holds its unit, each shipped one took it.
    private static async Task BalancesAsync(ShopProcess shop)
    {
        var units = new Dictionary<string, long>(StringComparer.Ordinal);
        for (string? next = "/orders?limit=1000"; next is not null;)
        {
            (HttpResponseMessage page, JsonNode? orders) = await shop.Orders.SendJsonAsync(HttpMethod.Get, next);
            foreach (JsonNode? order in orders!.AsArray())
            {
                string status = (string)order!["status"]!;
                units[status] = units.GetValueOrDefault(status) + (long)order["items"]![0]!["quantity"]!;
            }

            next = page.NextPage();
        }

        long held = units.GetValueOrDefault("created") + units.GetValueOrDefault("paid"),
            shipped = units.GetValueOrDefault("shipped");
        JsonNode stock = await shop.Inventory.GetJsonAsync("/inventory/prod_0");
        Assert.That(((long)stock["on_hand"]!, (long)stock["reserved"]!), Is.EqualTo((1_000_000 - shipped, held)));
    }
}
