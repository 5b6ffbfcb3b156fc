using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Shop.Platform;
using Shop.Platform.Modules;

namespace Shop.Host.Telemetry;

/// <summary>
/// OpenTelemetry's SDK, once for each module: each is a service of its own, though they share a process. Log lines of
/// the start and requests of the demo traffic belong to no module, so they belong to <c>shop-process</c>.
/// </summary>
internal sealed class OtlpExport : ILoggerProvider, IAsyncDisposable
{
    /// <summary>The service of what belongs to no module.</summary>
    public const string ProcessService = "shop-process";

    /// <summary>The most time for the last export when the shop stops.</summary>
    private static readonly TimeSpan MaxFlush = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, OpenTelemetrySdk> _byCategory;
    private readonly OpenTelemetrySdk _process;
    private readonly bool _hasLogs;

    public OtlpExport(IReadOnlyList<ModuleIdentity> modules, BuildInfo build, OtlpEndpoint? traces, OtlpEndpoint? logs)
    {
        _hasLogs = logs is not null;
        string instance = Guid.NewGuid().ToString();
        // A module's source of spans and its log have the same name.
        _byCategory = modules.ToDictionary(module => $"Shop.{module.Name}",
            module => Start(module.Service, $"Shop.{module.Name}", build, instance, traces, logs),
            StringComparer.Ordinal);
        // .NET's own spans of outgoing requests: the demo traffic's. The SDK leaves its own requests out.
        _process = Start(ProcessService, "System.Net.Http", build, instance, traces, logs);
    }

    public ILogger CreateLogger(string categoryName)
    {
        if (!_hasLogs) return Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance;
        return _byCategory.GetValueOrDefault(categoryName, _process).GetLoggerFactory().CreateLogger(categoryName);
    }

    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    public async ValueTask DisposeAsync()
    {
        // At the same time, because each waits its whole time for a dead receiver.
        await Task.WhenAll(_byCategory.Values.Append(_process).SelectMany(sdk => new Func<bool>[]
        {
            () => sdk.TracerProvider.Shutdown((int)MaxFlush.TotalMilliseconds),
            () => sdk.LoggerProvider.Shutdown((int)MaxFlush.TotalMilliseconds),
        }).Select(Task.Run));
        foreach (OpenTelemetrySdk sdk in _byCategory.Values.Append(_process)) sdk.Dispose();
    }

    private static OpenTelemetrySdk Start(string service, string source, BuildInfo build, string instance,
        OtlpEndpoint? traces, OtlpEndpoint? logs) =>
        OpenTelemetrySdk.Create(sdk =>
        {
            sdk.ConfigureResource(resource => resource.Clear().AddTelemetrySdk()
                .AddAttributes(Attributes(
                    ("service.namespace", "shop"), ("service.version", build.Version),
                    ("service.instance.id", instance)))
                .AddEnvironmentVariableDetector()
                .AddAttributes(Attributes(("service.name", service))));
            if (traces is not null)
                sdk.WithTracing(spans => spans.AddSource(source).AddOtlpExporter(options => Set(options, traces)));
            if (logs is null) return;
            // Filters are applied before.
            sdk.Services.Configure<LoggerFilterOptions>(options => options.MinLevel = LogLevel.Trace);
            sdk.WithLogging(lines => lines.AddOtlpExporter(options => Set(options, logs)),
                options => options.IncludeFormattedMessage = true);
        });

    private static IEnumerable<KeyValuePair<string, object>> Attributes(
        params (string Name, object Value)[] attributes) =>
        attributes.Select(attribute => KeyValuePair.Create(attribute.Name, attribute.Value));

    private static void Set(OtlpExporterOptions options, OtlpEndpoint endpoint)
    {
        options.Endpoint = endpoint.Address;
        options.Protocol = endpoint.IsGrpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        options.Headers = endpoint.Headers;
        if (endpoint.TimeoutMilliseconds is { } timeout) options.TimeoutMilliseconds = timeout;
        // With certificates of its own, the SDK makes its client itself.
        if (endpoint.HasCertificates) return;
        options.HttpClientFactory = () => new HttpClient(new ExportErrorHandler())
        {
            Timeout = TimeSpan.FromMilliseconds(options.TimeoutMilliseconds),
        };
    }
}
