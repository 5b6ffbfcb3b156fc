using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Npgsql;

namespace Shop.Testing;

/// <summary>
/// A PostgreSQL for tests: the server that <c>SHOP_TEST_POSTGRES</c> names by a connection string, or else a cluster of
/// this machine's own programs in a temporary folder, on a Unix socket. If there is none, its tests are skipped; in CI
/// they fail. Each shop has a database of its own.
/// </summary>
internal sealed class PostgresCluster : IDisposable
{
    private static readonly Lazy<PostgresCluster> _shared = new(Start);
    private static int _databases;

    // Databases of this cluster by what they belong to.
    private readonly ConcurrentDictionary<string, string> _byOwner = new(StringComparer.Ordinal);
    private readonly string? _folder;
    private readonly StringBuilder _log = new();
    private readonly string _address;
    private string[] _command = [];
    private Process? _server;

    private PostgresCluster(string? folder, string address) => (_folder, _address) = (folder, address);

    /// <summary>The cluster of this run: it starts when it is first asked for, and ends with the process.</summary>
    public static PostgresCluster Shared => _shared.Value;

    /// <summary>What the server has written to its log.</summary>
    public string Log
    {
        get
        {
            lock (_log) return _log.ToString();
        }
    }

    /// <summary>Starts a cluster of this machine's own programs.</summary>
    /// <param name="settings">Of the server, as <c>max_connections=50</c>.</param>
    public static PostgresCluster StartOwn(params string[] settings) => StartOwn([], settings);

    /// <summary>Starts a cluster with files in its data directory.</summary>
    public static PostgresCluster StartOwn((string Name, string Text)[] files, params string[] settings) =>
        StartOwn((programs, user, _, data) =>
        {
            Initialize(programs, user, data);
            foreach ((string name, string text) in files)
            {
                string file = Path.Combine(data, name);
                File.WriteAllText(file, text);
                if (!OperatingSystem.IsWindows())
                    File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                if (user is not null) Run("chown", [user, file]);
            }
        }, settings);

    /// <summary>Starts a cluster whose write-ahead log is in an empty folder, and never gets smaller.</summary>
    public static PostgresCluster StartWithLogIn(string folder) => StartOwn((programs, user, _, data) =>
    {
        if (user is not null) Run("chown", [user, folder]);
        Initialize(programs, user, data, "--waldir", folder, "--wal-segsize=1");
    }, "wal_keep_size=1GB");

    /// <summary>Starts a standby of this cluster. From then on a commit here waits for it.</summary>
    public PostgresCluster StartStandby()
    {
        PostgresCluster standby = StartOwn((programs, user, _, data) => Run(As(user,
            [Path.Combine(programs, "pg_basebackup"), "-h", _folder!, "-U", "postgres", "-D", data, "-R", "-X",
                "stream",
                "-c", "fast", "--no-sync"])));
        Execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
        Execute("SELECT pg_reload_conf()");
        return standby;
    }

    /// <summary>The connection string of one of this cluster's databases by way of this server and another: whichever
    /// is the primary.</summary>
    public static string WithStandby(string address, PostgresCluster standby)
    {
        var both = new NpgsqlConnectionStringBuilder(address);
        return $"{address};Host={both.Host},{standby._folder};Target Session Attributes=primary";
    }

    private static PostgresCluster StartOwn(Action<string, string?, string, string> make, params string[] settings)
    {
        if (Programs() is not { } programs)
        {
            const string Missing =
                "There is no PostgreSQL: install postgresql, or name a server by SHOP_TEST_POSTGRES.";
            if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail(Missing);
            else Assert.Ignore(Missing);
            throw new UnreachableException();
        }

        string folder = Directory.CreateTempSubdirectory("shop-pg-").FullName;
        // PostgreSQL refuses to run as root.
        string? user = Environment.IsPrivilegedProcess ? UserBeside() : null;
        if (user is not null) Run("chown", [user, folder]);
        string data = Path.Combine(folder, "data");
        make(programs, user, folder, data);
        var cluster = new PostgresCluster(folder, $"Host={folder};Username=postgres;Database=postgres");
        // What a killed server has written is in the system's memory: nothing is lost without waiting for the disk.
        string[] all = ["listen_addresses=", $"unix_socket_directories={folder}", "fsync=off", "max_connections=200",
            "shared_buffers=64MB", "log_min_messages=warning", .. settings];
        cluster._command = As(user, [Path.Combine(programs, "postgres"), "-D", data,
            .. all.SelectMany(setting => new[] { "-c", setting })]);
        cluster._server = cluster.StartServer(cluster._command);
        return cluster;
    }

    /// <summary>The connection string of the database that belongs to something; it is made when first asked
    /// for.</summary>
    public string DatabaseOf(string owner) => _byOwner.GetOrAdd(owner, _ => CreateDatabase());

    /// <summary>A database of its own; its connection string.</summary>
    public string CreateDatabase()
    {
        string name = $"shop_test_{Environment.ProcessId}_{Interlocked.Increment(ref _databases)}";
        Execute($"CREATE DATABASE {name}");
        return new NpgsqlConnectionStringBuilder(_address) { Database = name }.ConnectionString;
    }

    /// <summary>A database whose files are in an empty folder; its connection string.</summary>
    public string CreateDatabaseIn(string folder)
    {
        if (Environment.IsPrivilegedProcess) Run("chown", [UserBeside(), folder]);
        Execute($"CREATE TABLESPACE elsewhere LOCATION '{folder}'");
        string address = CreateDatabase();
        Execute($"ALTER DATABASE {new NpgsqlConnectionStringBuilder(address).Database} SET TABLESPACE elsewhere");
        return address;
    }

    /// <summary>Runs a statement on the server's own database.</summary>
    public void Execute(string sql)
    {
        using var source = NpgsqlDataSource.Create(_address + ";Pooling=false");
        using NpgsqlCommand command = source.CreateCommand(sql);
        command.ExecuteNonQuery();
    }

    /// <summary>Deletes the database that belongs to something, if it has one.</summary>
    public void DropDatabaseOf(string owner)
    {
        if (!_byOwner.TryRemove(owner, out string? address)) return;
        Execute($"DROP DATABASE {new NpgsqlConnectionStringBuilder(address).Database} WITH (FORCE)");
    }

    /// <summary>Ends the server in the middle of whatever it does, and starts it again.</summary>
    public void Restart()
    {
        Stop();
        StartAgain();
    }

    /// <summary>Ends the server in the middle of whatever it does.</summary>
    public void Stop()
    {
        Signal("QUIT");
        _server!.WaitForExit();
        _server.Dispose();
        _server = null;
    }

    /// <summary>Kills the server: all of its processes, none of which can end anything.</summary>
    public void Kill()
    {
        Signal("STOP"); // so that it starts no other
        string[] children = [.. Directory.EnumerateDirectories("/proc").Select(Path.GetFileName)
            .OfType<string>().Where(name => name.All(char.IsAsciiDigit) && ParentOf(name) == _server!.Id)];
        // The server last: while it is stopped, those that are killed already can still be named.
        Run("kill", ["-KILL", .. children, $"{_server!.Id}"]);
        _server.WaitForExit();
        _server.Dispose();
        _server = null;
    }

    /// <summary>Starts the server that was stopped.</summary>
    public void StartAgain() => _server = StartServer(_command);

    /// <summary>Starts the server if it has ended by itself, as whatever looks after it would.</summary>
    public void StartIfEnded()
    {
        if (!_server!.HasExited) return;
        _server.Dispose();
        StartAgain();
    }

    /// <summary>Starts a program as the user of the server.</summary>
    public static Process StartBeside(string program, params string[] arguments)
    {
        string[] command = As(Environment.IsPrivilegedProcess ? UserBeside() : null, [program, .. arguments]);
        Process process = Process.Start(Piped(command[0], command[1..]))!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    public void Dispose()
    {
        if (_server is { HasExited: false })
        {
            Signal("INT"); // without waiting for clients
            _server.WaitForExit();
        }

        _server?.Dispose();
        _server = null;
        if (_folder is not null && Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
    }

    private static PostgresCluster Start()
    {
        string? named = Environment.GetEnvironmentVariable("SHOP_TEST_POSTGRES");
        PostgresCluster cluster = string.IsNullOrEmpty(named) ? StartOwn() : new PostgresCluster(null, named);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            foreach (string owner in cluster._byOwner.Keys) cluster.DropDatabaseOf(owner);
            cluster.Dispose();
        };
        return cluster;
    }

    private static string? Programs()
    {
        IEnumerable<string> installed = Directory.Exists("/usr/lib/postgresql")
            ? Directory.EnumerateDirectories("/usr/lib/postgresql").OrderDescending(StringComparer.Ordinal)
                .Select(version => Path.Combine(version, "bin"))
            : [];
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Concat(installed)
            .FirstOrDefault(folder => new[] { "initdb", "postgres", "pg_basebackup" }
                .All(program => File.Exists(Path.Combine(folder, program))));
    }

    private static void Initialize(string programs, string? user, string data, params string[] more) =>
        Run(As(user, [Path.Combine(programs, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale=C", "--no-sync", .. more]));

    private static string UserBeside() =>
        File.ReadLines("/etc/passwd").Any(line => line.StartsWith("postgres:", StringComparison.Ordinal))
            ? "postgres" : "nobody";

    private static string[] As(string? user, string[] command) =>
        user is null ? command : ["setpriv", $"--reuid={user}", "--clear-groups", "--", .. command];

    private static void Run(string[] command) => Run(command[0], command[1..]);

    private static void Run(string program, string[] arguments)
    {
        using Process process = Process.Start(Piped(program, arguments))!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, $"{program}: {errors.Result}");
    }

    private static ProcessStartInfo Piped(string program, string[] arguments) => new(program, arguments)
    {
        UseShellExecute = false,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        WorkingDirectory = Path.GetTempPath(),
        Environment = { ["LC_ALL"] = "C" },
    };

    private Process StartServer(string[] command)
    {
        var server = new Process { StartInfo = Piped(command[0], command[1..]) };
        void Read(object sender, DataReceivedEventArgs line)
        {
            lock (_log) _log.AppendLine(line.Data);
        }

        server.OutputDataReceived += Read;
        server.ErrorDataReceived += Read;
        server.Start();
        server.BeginOutputReadLine();
        server.BeginErrorReadLine();
        while (true)
        {
            try
            {
                Execute("SELECT 1");
                return server;
            }
            catch (NpgsqlException) when (!server.HasExited)
            {
                Thread.Sleep(20); // until it takes connections
            }
        }
    }

    private static int? ParentOf(string process)
    {
        try
        {
            string status = File.ReadAllText($"/proc/{process}/stat");
            return int.Parse(status[(status.LastIndexOf(')') + 4)..].Split(' ')[0], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null; // it has ended
        }
    }

    private void Signal(string signal) => Run("kill", [$"-{signal}", $"{_server!.Id}"]);
}
