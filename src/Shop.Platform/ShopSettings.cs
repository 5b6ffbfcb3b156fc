using System.Net;
using Microsoft.Extensions.Configuration;
using Shop.Platform.Data.Postgres;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Modules;
using Shop.Platform.Requests;
using Shop.Platform.Security;

namespace Shop.Platform;

/// <summary>
/// The settings under <c>Shop:</c> (environment: <c>Shop__</c>), read once at start. README.md explains each.
/// </summary>
public sealed record ShopSettings
{
    /// <summary>
    /// Key and connection string of each module's database in PostgreSQL, by the module's name; null if the databases
    /// are files in <see cref="DataDirectory"/>.
    /// </summary>
    public IReadOnlyDictionary<string, (string Key, string Text)>? Connections { get; init; }

    /// <summary>Where the database files live.</summary>
    public required string DataDirectory { get; init; }

    /// <summary><c>localhost</c>, <c>*</c> or an IP address.</summary>
    public required string BindAddress { get; init; }

    /// <summary>Fill an empty catalogue with 200 products.</summary>
    public required bool DemoData { get; init; }

    /// <summary>ISO 4217 code of the one currency of the shop.</summary>
    public required string Currency { get; init; }

    /// <summary>
    /// How long an order is kept after it was delivered or cancelled, in whole days; zero is for ever.
    /// </summary>
    public required TimeSpan OrderRetention { get; init; }

    /// <summary>Requests that one module works on at once; further requests are answered 429.</summary>
    public required int MaxConcurrentRequests { get; init; }

    /// <summary>Writes that may wait for one module's database; further writes are answered 503.</summary>
    public required int WriteQueueLimit { get; init; }

    /// <summary>Most writes in one commit; 1 shows what a commit for each write costs.</summary>
    public required int WriteBatchLimit { get; init; }

    /// <summary>
    /// How long a client may take to send a request's head, and again its body; and how long a write may wait in the
    /// queue.
    /// </summary>
    public required TimeSpan RequestTimeout { get; init; }

    /// <summary>Connections that one module keeps open; further connections are closed at once.</summary>
    public required int MaxConnections { get; init; }

    /// <summary>Requests a second that one client may send; 0 sets no limit.</summary>
    public required int ClientRateLimit { get; init; }

    /// <summary>The keys of clients; if there are none, everybody may write.</summary>
    public required ApiKeys ApiKeys { get; init; }

    /// <summary>Whether reading needs a key, too.</summary>
    public required bool ReadsNeedKey { get; init; }

    /// <summary>SHA-256 of the key for <c>/metrics</c>; null if it needs none.</summary>
    public required byte[]? MetricsKey { get; init; }

    /// <summary>
    /// The hosts that a Host header may name, beside localhost, the bound address and the public URLs; * is any.
    /// </summary>
    public required IReadOnlySet<string> AllowedHosts { get; init; }

    /// <summary>Origins whose pages may read answers; * is any.</summary>
    public required IReadOnlyList<string> CorsOrigins { get; init; }

    /// <summary>Whether there is trouble on demand.</summary>
    public required bool Faults { get; init; }

    /// <summary>A file of further scenarios; null if there is none.</summary>
    public required string? ScenarioFile { get; init; }

    /// <summary>Addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are trusted.</summary>
    public required IReadOnlyList<IPNetwork> TrustedProxies { get; init; }

    /// <summary>Port of each module by its name; 0 picks a free one.</summary>
    public required IReadOnlyDictionary<string, int> Ports { get; init; }

    /// <summary>Port of the page of alerts, which is a process of its own; 0 picks a free one.</summary>
    public required int AlertsPort { get; init; }

    /// <summary>
    /// Where browsers find each module, by its name; null if it is the host that they asked, with the module's port.
    /// </summary>
    public required IReadOnlyDictionary<string, string?> PublicUrls { get; init; }

    /// <summary>The key of the connection string of all modules that have none of their own.</summary>
    public const string ConnectionKey = "ConnectionStrings:Shop";

    /// <summary>The key of the port of the page of alerts.</summary>
    public const string AlertsPortKey = "Shop:Alerts:Port";

    /// <summary>Whether the ports are open on every address of the machine.</summary>
    public bool BindsEveryAddress => BindAddress == "*"
        || (IPAddress.TryParse(BindAddress, out IPAddress? address)
        && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)));

    /// <summary>A host name that leads to the shop from its own machine.</summary>
    public string LocalHost => BindsEveryAddress ? "localhost" : BindAddress;

    /// <summary>The key of a module's port: <c>Shop:Orders:Port</c>.</summary>
    public static string PortKey(ModuleIdentity module) => Key(module, "Port");

    /// <summary>The keys of all settings.</summary>
    public static IReadOnlyCollection<string> Keys(IReadOnlyCollection<ModuleIdentity> modules)
    {
        var reader = new SettingsReader(new ConfigurationBuilder().Build());
        _ = Read(reader, modules);
        return reader.Known;
    }

    /// <summary>Reads the settings, or throws with every key that is wrong.</summary>
    /// <exception cref="ShopStartException">A value is wrong, or a key is unknown.</exception>
    public static ShopSettings Read(IConfiguration configuration, IReadOnlyCollection<ModuleIdentity> modules)
    {
        var reader = new SettingsReader(configuration);
        ShopSettings settings = Read(reader, modules);
        if (settings.ReadsNeedKey && !settings.ApiKeys.Any)
            reader.Refuse("Shop:ReadsNeedKey is true, but Shop:ApiKeys names no key");
        foreach (IGrouping<int, ModuleIdentity> port in modules.GroupBy(module => settings.Ports[module.Name])
            .Where(port => port.Key != 0 && port.Count() > 1))
        {
            reader.Refuse($"{string.Join(" and ", port.Select(PortKey))} have the same port, {port.Key}; "
                + "each service needs a port of its own");
        }

        reader.RefuseUnknownKeys();
        reader.ThrowIfWrong();
        return settings;
    }

    private static ShopSettings Read(SettingsReader reader, IReadOnlyCollection<ModuleIdentity> modules) =>
        new()
        {
            Connections = ReadConnections(reader, modules),
            DataDirectory = reader.Text("Shop:DataDirectory", "data", static value => value.Length > 0, "a path"),
            BindAddress = reader.Text("Shop:BindAddress", "localhost", IsAddress, "localhost, * or an IP address"),
            DemoData = reader.Flag("Shop:DemoData", true),
            Currency = reader.Text("Shop:Currency", "EUR", static value => value.Length == 3
                && value.All(char.IsAsciiLetterUpper),
                "three capital letters, as EUR"),
            OrderRetention = TimeSpan.FromDays(reader.Number("Shop:OrderRetention", 0, 0, 36_500)),
            MaxConcurrentRequests = reader.Number("Shop:MaxConcurrentRequests", 8192, 1, 100_000),
            WriteQueueLimit = reader.Number("Shop:WriteQueueLimit", 4096, 1, 1_000_000),
            WriteBatchLimit = reader.Number("Shop:WriteBatchLimit", GroupCommitWriter.MaxBatch, 1,
                GroupCommitWriter.MaxBatch),
            RequestTimeout = TimeSpan.FromSeconds(reader.Number("Shop:RequestTimeout", 10, 1, 300)),
            MaxConnections = reader.Number("Shop:MaxConnections", 8192, 1, 1_000_000),
            ClientRateLimit = reader.Number("Shop:ClientRateLimit", 0, 0, 1_000_000),
            ApiKeys = reader.Parsed("Shop:ApiKeys", ApiKeys.Parse, ApiKeys.Format, isSecret: true),
            ReadsNeedKey = reader.Flag("Shop:ReadsNeedKey", false),
            MetricsKey = reader.Parsed(
                "Shop:MetricsKey", static hash => hash.Length == 0 ? [] : ApiKeys.ParseHash(hash),
                "the key's SHA-256 in 64 hexadecimal digits", isSecret: true) is { Length: > 0 } hash ? hash : null,
            AllowedHosts = reader.List("Shop:AllowedHosts", static host => host == "*"
                || Uri.CheckHostName(host.Trim('[', ']')) != UriHostNameType.Unknown,
                "*, or host names and IP addresses without ports, separated by commas")
                    .ToHashSet(StringComparer.OrdinalIgnoreCase),
            CorsOrigins = reader.List("Shop:CorsOrigins", IsOrigin,
                "*, or origins as https://shop.example, separated by commas"),
            TrustedProxies = [.. reader.List("Shop:TrustedProxies", static value => Network(value) is not null,
                "IP addresses or networks as 10.0.0.0/8, separated by commas").Select(value => Network(value)!.Value)],
            Faults = reader.Switch("Shop:Faults"),
            ScenarioFile = reader.Optional("Shop:ScenarioFile", static _ => true, "a path"),
            Ports = modules.ToDictionary(module => module.Name,
                module => reader.Number(PortKey(module), module.DefaultPort, 0, 65535), StringComparer.Ordinal),
            AlertsPort = reader.Number(AlertsPortKey, 5004, 0, 65535),
            PublicUrls = modules.ToDictionary(module => module.Name, module => reader.Optional(Key(module, "PublicUrl"),
                static value => value != "*" && IsOrigin(value), "an origin as https://shop.example"),
                StringComparer.Ordinal),
        };

    private static Dictionary<string, (string Key, string Text)>? ReadConnections(
        SettingsReader reader, IReadOnlyCollection<ModuleIdentity> modules)
    {
        string? common = reader.Connection(ConnectionKey);
        var connections = new Dictionary<string, (string Key, string Text)>(StringComparer.Ordinal);
        foreach (ModuleIdentity module in modules)
        {
            string key = $"ConnectionStrings:{Title(module)}";
            if (reader.Connection(key) is { } own) connections[module.Name] = (key, own);
            else if (common is not null) connections[module.Name] = (ConnectionKey, common);
        }

        if (connections.Count == 0) return null;
        if (connections.Count < modules.Count)
        {
            reader.Refuse($"{string.Join(" and ", connections.Values.Select(connection => connection.Key))} "
                + $"must be set for all modules or none: set {ConnectionKey}, or the others as well");
        }

        return connections;
    }

    private static string Title(ModuleIdentity module) =>
        $"{char.ToUpperInvariant(module.Name[0])}{module.Name[1..]}";

    private static string Key(ModuleIdentity module, string name) => $"Shop:{Title(module)}:{name}";

    private static bool IsAddress(string value) => value is "localhost" or "*" || IPAddress.TryParse(value, out _);

    private static bool IsOrigin(string value) => value == "*"
        || (Uri.TryCreate(value, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https"
            && uri.UserInfo.Length == 0 && uri.GetLeftPart(UriPartial.Authority) == value);

    private static IPNetwork? Network(string value)
    {
        if (IPAddress.TryParse(value, out IPAddress? address))
            return new IPNetwork(address, 8 * address.GetAddressBytes().Length);
        return IPNetwork.TryParse(value, out IPNetwork network) ? network : null;
    }

    private sealed class SettingsReader(IConfiguration configuration)
    {
        private readonly List<string> _wrong = [];
        private readonly HashSet<string> _known = new(StringComparer.OrdinalIgnoreCase);

        public IReadOnlyCollection<string> Known => _known;

        public string Text(string key, string byDefault, Func<string, bool> isRight, string expected) =>
            Read(key, byDefault, expected, value => (isRight(value), value));

        /// <summary>A text; null if it is empty or missing.</summary>
        public string? Optional(string key, Func<string, bool> isRight, string expected) =>
            Text(key, "", value => value.Length == 0 || isRight(value), expected) is { Length: > 0 } text ? text : null;

        public bool Flag(string key, bool byDefault) =>
            Read(key, byDefault, "true or false", value => (bool.TryParse(value, out bool flag), flag));

        public bool Switch(string key) =>
            Read(key, true, "on or off", value => (value is "on" or "off", value == "on"));

        public int Number(string key, int byDefault, int from, int to) =>
            Read(key, byDefault, $"a whole number from {from} to {to}",
                value => (int.TryParse(value, out int number) && number >= from && number <= to, number));

        public T Parsed<T>(string key, Func<string, T?> parse, string expected, bool isSecret = false)
            where T : class =>
            Read(key, parse("")!, expected, value => parse(value) is { } parsed ? (true, parsed)
                : (false, default!), isSecret);

        public IReadOnlyList<string> List(string key, Func<string, bool> isRight, string expected) =>
            Parsed<IReadOnlyList<string>>(key, value =>
            {
                string[] items = value.Split(',',
                    StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
                return items.All(isRight) ? items : null;
            }, expected);

        /// <summary>A connection string; null if it is not set.</summary>
        public string? Connection(string key)
        {
            _known.Add(key);
            if (configuration[key]?.Trim() is not { Length: > 0 } text) return null;
            if (ConnectionStrings.ErrorIn(text) is { } error) _wrong.Add($"{key} is no connection string: {error}");
            return text;
        }

        public void Refuse(string why) => _wrong.Add(why);

        public void RefuseUnknownKeys()
        {
            foreach ((string key, string? value) in configuration.GetSection("Shop").AsEnumerable()
                .Concat(configuration.GetSection("ConnectionStrings").AsEnumerable()))
            {
                if (value is null || _known.Contains(key)) continue;
                string question = NameSuggestion.DidYouMean(key, _known);
                string hint = question.Length > 0 ? question : $"; the settings are {string.Join(", ", _known)}";
                _wrong.Add($"{key} is not a setting{hint}");
            }
        }

        public void ThrowIfWrong()
        {
            if (_wrong.Count > 0) throw new ShopStartException(string.Join("; ", _wrong));
        }

        private T Read<T>(string key, T byDefault, string expected, Func<string, (bool IsRight, T Value)> parse,
            bool isSecret = false)
        {
            _known.Add(key);
            if (configuration[key] is not { } text) return byDefault;
            (bool isRight, T value) = parse(text.Trim());
            if (isRight) return value;
            _wrong.Add(isSecret ? $"{key} must be {expected}" : $"{key} is '{text}', but must be {expected}");
            return byDefault;
        }
    }
}
