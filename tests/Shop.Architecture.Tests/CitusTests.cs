using System.Text.RegularExpressions;
using Shop.Testing;

namespace Shop.Architecture.Tests;

/// <summary>
/// Statements that Citus refuses, or runs slowly, are not written: <c>scale/citus.sql</c> distributes the tables of
/// Orders, and every statement of Orders has to run there as it is. The rules are those of Citus 13.2's own messages
/// and documentation.
/// </summary>
internal sealed partial class CitusTests
{
    /// <summary>Tables that stay on the coordinator.</summary>
    private static readonly string[] Local = ["batches", "changes", "health_probe", "order_counts"];

    private static readonly string Script = Repository.Text("scale/citus.sql");

    private static readonly string Schema =
        Repository.Text("src/Modules/Orders/Storage/Postgres/Migrations/001_orders.sql")
        + Repository.Text("src/Shop.Platform/Data/Postgres/PostgresMigrations.cs");

    /// <summary>The column that each table is distributed by.</summary>
    private static readonly Dictionary<string, string> Distributed = Calls().Matches(Script)
        .ToDictionary(call => call.Groups["table"].Value, call => call.Groups["column"].Value, StringComparer.Ordinal);

    private static readonly string[] Statements =
    [
        .. Directory.GetFiles(Repository.PathOf("src/Modules/Orders/Storage/Postgres"), "*.cs")
            .Append(Repository.PathOf("src/Shop.Platform/Data/Postgres/PostgresIdempotencyKeys.cs"))
            .SelectMany(file => StatementsOf(File.ReadAllText(file))),
        // The one statement whose tables are given.
        .. StatementsOf(Repository.Text("src/Shop.Platform/Data/Postgres/PostgresDatabase.cs"))
            .Where(sql => sql.Contains("{table}", StringComparison.Ordinal))
            .Select(sql => sql.Replace("{table}", "idempotency_keys").Replace("{id}", "key")),
    ];

    private static IEnumerable<TestCaseData> Refused()
    {
        yield return new TestCaseData("SELECT id FROM orders WHERE seq < $1 FOR UPDATE", "locks rows");
        yield return new TestCaseData("SELECT 1 FROM pending_stock FOR NO KEY UPDATE SKIP LOCKED", "locks rows");
        yield return new TestCaseData("SELECT 1 FROM orders FOR SHARE", "locks rows");
        yield return new TestCaseData(
            "INSERT INTO reservations (order_id, number) VALUES ($1, $2) ON CONFLICT (number) DO NOTHING",
            "conflict without order_id");
        yield return new TestCaseData("UPDATE orders SET id = $1 WHERE seq = $2", "changes orders.id");
        yield return new TestCaseData(
            "SELECT 1 FROM orders o JOIN order_lines l ON l.line = o.changes", "joins order_lines without order_id");
        yield return new TestCaseData(
            "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM order_events e WHERE e.at > 0)",
            "joins order_events without order_id");
        yield return new TestCaseData(
            "DELETE FROM orders WHERE id IN (SELECT unnest(ids) FROM changes)", "joins orders with changes");
    }

    [TestCaseSource(nameof(Refused))]
    public void Given_a_statement_that_Citus_refuses_then_it_is_named(string sql, string fault) =>
        Assert.That(Faults(sql), Does.Contain(fault));

    [Test]
    public void Given_the_statements_of_Orders_then_each_runs_on_tables_that_are_distributed()
    {
        Assert.That(Statements, Has.Length.GreaterThan(25), "statements were found");
        string[] used = [.. Statements.SelectMany(Tables).Distinct(StringComparer.Ordinal)];
        Assert.That(Distributed.Keys, Is.SubsetOf(used), "tables in statements");
        Assert.Multiple(() =>
        {
            foreach (string sql in Statements) Assert.That(Faults(sql), Is.Empty, sql);
        });
    }

    [Test]
    public void Given_the_tables_of_Orders_then_each_is_distributed_or_stays_on_the_coordinator_and_its_unique_keys_allow_it()
    {
        Match[] tables = CreateTable().Matches(Schema).ToArray();
        Assert.That(
            tables.Select(table => table.Groups["name"].Value), Is.EquivalentTo(Distributed.Keys.Concat(Local)));
        Assert.That(Schema, Does.Not.Contain("REFERENCES").And.Not.Contain("TRIGGER").And.Not.Contain("CREATE UNIQUE"));
        foreach (Match table in tables)
        {
            if (!Distributed.TryGetValue(table.Groups["name"].Value, out string? column)) continue;
            string body = table.Groups["body"].Value;
            Assert.That(body, Does.Match($@"(?m)^\s*{column}\s"), $"{table.Groups["name"].Value} has the column");
            foreach (Match key in (IEnumerable<Match>)Keys().Matches(body))
            {
                Assert.That(key.Groups["columns"].Success ? key.Groups["columns"].Value : key.Groups["column"].Value,
                    Does.Match($@"\b{column}\b"), $"a key of {table.Groups["name"].Value}");
            }
        }
    }

    private static IEnumerable<string> Faults(string sql)
    {
        if (RowLock().IsMatch(sql)) yield return "locks rows";
        string[] tables = [.. Tables(sql)];
        string[] spread = [.. tables.Where(Distributed.ContainsKey)];
        foreach (string local in tables.Intersect(Local, StringComparer.Ordinal))
        {
            foreach (string table in spread) yield return $"joins {table} with {local}";
        }

        foreach (string table in spread)
        {
            string column = Distributed[table];
            if (Regex.IsMatch(
                sql, $@"UPDATE {table}( AS \w+)? SET (?:(?!\bWHERE\b|\bFROM\b).)*\b{column} =", Options, Limit))
            {
                yield return $"changes {table}.{column}";
            }

            if (Regex.IsMatch(sql, $@"INSERT INTO {table}\b.*ON CONFLICT \((?!.*\b{column}\b.*?\))", Options, Limit))
                yield return $"conflict without {column}";
            if (spread.Distinct(StringComparer.Ordinal).Count() == 1) continue;
            // Of the tables of a statement each but the first is joined by the column that all are distributed by.
            foreach (Match joined in (IEnumerable<Match>)Regex.Matches(
                sql, $@"(?:JOIN|\(SELECT [^()]*(?:\([^()]*\))?[^()]* FROM) {table} (?<alias>\w+) (?<rest>[^;]*)",
                Options, Limit))
            {
                if (joined.Value.StartsWith("(SELECT *", StringComparison.Ordinal)) continue; // a page, joined outside
                string alias = joined.Groups["alias"].Value;
                if (!Regex.IsMatch(joined.Groups["rest"].Value,
                    $@"^(ON|WHERE|USING).*?(\b{alias}\.{column} = |\({column}\b)", Options, Limit))
                    yield return $"joins {table} without {column}";
            }
        }
    }

    private static IEnumerable<string> Tables(string sql) => TableNames().Matches(sql)
        .Select(match => match.Groups["name"].Value)
        .Where(name => Distributed.ContainsKey(name) || Local.Contains(name, StringComparer.Ordinal));

    private static IEnumerable<string> StatementsOf(string source) => Literals().Matches(source)
        .Select(literal => Spaces().Replace(literal.Groups["sql"].Value, " ").Trim());

    private const RegexOptions Options = RegexOptions.ExplicitCapture | RegexOptions.Singleline;
    private const int Patience = 1000;
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(Patience);

    [GeneratedRegex(@"create_distributed_table\('(?<table>\w+)', '(?<column>\w+)'",
        RegexOptions.ExplicitCapture, Patience)]
    private static partial Regex Calls();

    [GeneratedRegex(
        @"CREATE TABLE (IF NOT EXISTS )?(?<name>\w+) \(((?<body>[^\n]*)|(?<body>.*?)\n\s*)\);", Options, Patience)]
    private static partial Regex CreateTable();

    [GeneratedRegex(
        @"(PRIMARY KEY|UNIQUE) \((?<columns>[^)]*)\)|(?<column>\w+) [^,\n]*(PRIMARY KEY|UNIQUE)",
        RegexOptions.ExplicitCapture, Patience)]
    private static partial Regex Keys();

    [GeneratedRegex(@"\bFOR (NO KEY UPDATE|UPDATE|SHARE|KEY SHARE)\b", RegexOptions.ExplicitCapture, Patience)]
    private static partial Regex RowLock();

    [GeneratedRegex(@"\b(FROM|JOIN|INTO|UPDATE) (?<name>[a-z_]+)\b", RegexOptions.ExplicitCapture, Patience)]
    private static partial Regex TableNames();

    [GeneratedRegex("""
        \$?\"{3}\s*(?<sql>(SELECT|INSERT|UPDATE|DELETE|WITH)\b.*?)\"{3}
        |(?<!")\$?"(?<sql>(SELECT|INSERT|UPDATE|DELETE|WITH)\b[^"]*)"
        """, Options | RegexOptions.IgnorePatternWhitespace, Patience)]
    private static partial Regex Literals();

    [GeneratedRegex(@"\s+", RegexOptions.None, Patience)]
    private static partial Regex Spaces();
}
