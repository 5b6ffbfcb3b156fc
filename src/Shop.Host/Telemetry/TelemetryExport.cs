using System.Runtime.CompilerServices;
using Shop.Platform;
using Shop.Platform.Modules;

namespace Shop.Host.Telemetry;

/// <summary>
/// Traces and logs for a receiver of OTLP: on if the standard variables name a receiver. Otherwise no assembly of
/// OpenTelemetry is loaded, nobody listens to the modules, and no span is made.
/// </summary>
internal static class TelemetryExport
{
    /// <summary>Sends what the environment asks for.</summary>
    /// <exception cref="ShopStartException">A variable is wrong.</exception>
    public static void AddTelemetry(this WebApplicationBuilder builder, IReadOnlyList<ModuleIdentity> modules)
    {
        IConfiguration variables = new ConfigurationBuilder().AddEnvironmentVariables("").Build();
        var (traces, logs) = (OtlpEndpoint.Of(variables, "TRACES"), OtlpEndpoint.Of(variables, "LOGS"));
        if (traces is null && logs is null) return;
        SdkVariables.Check(variables);
        Add(builder.Services, modules, traces, logs);
    }

    // A method of its own, because compiling it loads the assemblies.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Add(IServiceCollection services, IReadOnlyList<ModuleIdentity> modules,
        OtlpEndpoint? traces, OtlpEndpoint? logs) =>
        services.AddSingleton<ILoggerProvider>(provider =>
            new OtlpExport(modules, provider.GetRequiredService<BuildInfo>(), traces, logs));
}
