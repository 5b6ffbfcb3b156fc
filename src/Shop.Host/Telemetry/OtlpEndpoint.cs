using Shop.Platform;

namespace Shop.Host.Telemetry;

/// <summary>The OTLP receiver of one signal, from the environment variables of OpenTelemetry's specification.</summary>
/// <param name="Address">The address of this signal's receiver, with its path if it is sent over HTTP.</param>
/// <param name="IsGrpc">OTLP over gRPC; else protobuf over HTTP.</param>
/// <param name="Headers">Headers of each request, as <c>key=value,…</c>.</param>
/// <param name="TimeoutMilliseconds">How long a request may take; null for the default of the SDK.</param>
/// <param name="HasCertificates">Whether the SDK is given certificates for the receiver.</param>
internal sealed record OtlpEndpoint(
    Uri Address, bool IsGrpc, string? Headers, int? TimeoutMilliseconds, bool HasCertificates)
{
    private const int GrpcPort = 4317;

    /// <summary>Reads the variables of a signal.</summary>
    /// <param name="variables">The environment.</param>
    /// <param name="signal"><c>TRACES</c> or <c>LOGS</c>.</param>
    /// <returns>Null if the signal is off.</returns>
    /// <exception cref="ShopStartException">A variable is wrong.</exception>
    public static OtlpEndpoint? Of(IConfiguration variables, string signal)
    {
        if (string.Equals(variables["OTEL_SDK_DISABLED"], "true", StringComparison.OrdinalIgnoreCase)) return null;
        string exporterKey = $"OTEL_{signal}_EXPORTER";
        switch (variables[exporterKey])
        {
            case null or "" or "otlp":
                break;
            case "none":
                return null;
            case var other:
                throw Wrong((exporterKey, other), "otlp or none");
        }

        (string Key, string Value)? Setting(string name)
        {
            string[] keys = [$"OTEL_EXPORTER_OTLP_{signal}_{name}", $"OTEL_EXPORTER_OTLP_{name}"];
            string? key = Array.Find(keys, key => !string.IsNullOrWhiteSpace(variables[key]));
            return key is null ? null : (key, variables[key]!.Trim());
        }

        if (Setting("ENDPOINT") is not { } endpoint) return null;
        if (!Uri.TryCreate(endpoint.Value, UriKind.Absolute, out Uri? address)
            || address.Scheme is not ("http" or "https"))
        {
            string shown = endpoint.Value[(endpoint.Value.LastIndexOf('@') + 1)..]; // without a user's password
            throw Wrong((endpoint.Key, shown), "an http or https address, as http://localhost:4318");
        }

        bool isGrpc = Setting("PROTOCOL") switch
        {
            // Each protocol has a port of its own.
            null => address.Port == GrpcPort,
            { Value: "grpc" } => true,
            { Value: "http/protobuf" } => false,
            { } protocol => throw Wrong(protocol, "grpc or http/protobuf"),
        };
        // The common address is a base address; that of one signal is used as it is.
        bool isCommon = !endpoint.Key.Contains($"_{signal}_", StringComparison.Ordinal);
        if (!isGrpc && isCommon) address = new Uri($"{address.ToString().TrimEnd('/')}/v1/{Path(signal)}");
        int? timeout = Setting("TIMEOUT") switch
        {
            null => null,
            { } text when int.TryParse(text.Value, out int milliseconds) && milliseconds > 0 => milliseconds,
            { } text => throw Wrong(text, "a number of milliseconds"),
        };
        // An error does not show them, because they may be secret.
        if (Setting("HEADERS") is { } headers && !AreHeaders(headers.Value))
            throw new ShopStartException($"{headers.Key} must be names and values, as api-key=abc,tenant=1");
        bool hasCertificates = Setting("CERTIFICATE") is not null || Setting("CLIENT_CERTIFICATE") is not null;
        return new OtlpEndpoint(address, isGrpc, Setting("HEADERS")?.Value, timeout, hasCertificates);
    }

    // The SDK decodes the text before it splits it, so a comma always separates.
    private static bool AreHeaders(string text)
    {
        using var request = new HttpRequestMessage();
        return Uri.UnescapeDataString(text)
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .All(header => header.Split('=', 2, StringSplitOptions.TrimEntries) is [var name, var value]
                && request.Headers.TryAddWithoutValidation(name, value) && value.All(c => c is >= ' ' and <= '~'));
    }

    /// <summary>A variable has a wrong value.</summary>
    internal static ShopStartException Wrong((string Key, string Value) setting, string expected) =>
        new($"{setting.Key} must be {expected}, and is '{setting.Value}'");

    private static string Path(string signal) => signal == "TRACES" ? "traces" : "logs";
}
