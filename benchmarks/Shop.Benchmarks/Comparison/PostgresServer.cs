using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace Shop.Benchmarks.Comparison;

/// <summary>
/// A PostgreSQL of this machine's own programs, on a free port, with its data in a temporary folder. What makes commits
/// durable is as PostgreSQL has it by default.
/// </summary>
internal sealed class PostgresServer : IDisposable
{
    private readonly string _folder;
    private readonly string _address;

    private PostgresServer(Server server, int port, string folder, string address) =>
        (Server, Port, _folder, _address) = (server, port, folder, address);

    public Server Server { get; }

    public int Port { get; }

    /// <param name="settings">Of the server, as <c>track_wal_io_timing=on</c>.</param>
    public static async Task<PostgresServer> StartAsync(params string[] settings)
    {
        string folder = Directory.CreateTempSubdirectory("shop-bench-pg-").FullName;
        string data = Path.Combine(folder, "data");
        // It refuses to run as root.
        string[] user = Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=postgres", "--clear-groups", "--"] : [];
        if (user.Length > 0) await RunAsync("chown", "postgres", folder);
        await RunAsync([.. user, "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]);
        int port = Server.FreePort();
        string address = $"Host=127.0.0.1;Port={port};Username=postgres;";
        string[] command = [.. user, "postgres", "-D", data, "-p", port.ToString(CultureInfo.InvariantCulture),
            "-c", "listen_addresses=127.0.0.1", "-c", $"unix_socket_directories={folder}",
            "-c", "max_connections=300", "-c", "shared_buffers=256MB",
            .. settings.SelectMany(static setting => new[] { "-c", setting })];
        Server server = await Server.StartAsync("PostgreSQL", () => AnswersAsync(address), command[0], command[1..]);
        return new PostgresServer(server, port, folder, address);
    }

    /// <summary>Makes a database; its connection string.</summary>
    public async Task<string> CreateDatabaseAsync(string name)
    {
        await ExecuteAsync(_address + "Database=postgres", $"CREATE DATABASE {name}");
        return $"{_address}Database={name}";
    }

    public static async Task ExecuteAsync(string connection, string sql)
    {
        await using var source = NpgsqlDataSource.Create($"{connection};Pooling=false;Command Timeout=0");
        await using NpgsqlCommand command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>The numbers of the only row of a query.</summary>
    public static async Task<double[]> NumbersAsync(string connection, string sql)
    {
        await using var source = NpgsqlDataSource.Create($"{connection};Pooling=false");
        await using NpgsqlCommand command = source.CreateCommand(sql);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return [.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetDouble)];
    }

    public void Dispose()
    {
        Server.Stop("INT"); // ends sessions, and removes what it shares in memory
        Server.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<bool> AnswersAsync(string address)
    {
        try
        {
            await ExecuteAsync(address + "Database=postgres", "SELECT 1");
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private static async Task RunAsync(params string[] command)
    {
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        string text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{command[0]} failed: {text}");
    }
}
