using System.Diagnostics;
using Shop.Platform.Data;
using Shop.Platform.Faults;
using Shop.Platform.Modules;

namespace Shop.Platform.Telemetry;

/// <summary>
/// Calls of a module through its contract. In a trace, each call is a client span of the calling module and a server
/// span of this module, as if they were two processes. Outside of a trace a call only checks <see
/// cref="Activity.Current"/> and the fault.
/// </summary>
/// <param name="callee">The module whose contract it is.</param>
/// <param name="contract">The contract's name.</param>
/// <param name="down">The fault by which calls fail before they are made; null if there is none.</param>
public sealed class ContractCalls(ModuleContext callee, string contract, Fault? down = null)
{
    /// <summary>Makes a call.</summary>
    /// <param name="method">The method's name.</param>
    /// <param name="arguments">The arguments of <paramref name="call"/>, which so needs no closure.</param>
    /// <param name="call">Makes the call.</param>
    public ValueTask<TAnswer> MakeAsync<TArguments, TAnswer>(
        string method, TArguments arguments, Func<TArguments, ValueTask<TAnswer>> call) =>
        Spans.IsTraced ? TraceAsync(method, arguments, call)
            : IsDown ? ValueTask.FromException<TAnswer>(new ServiceDownException(callee.Identity.Name))
            : call(arguments);

    /// <inheritdoc cref="MakeAsync{TArguments,TAnswer}"/>
    public Task MakeAsync<TArguments>(string method, TArguments arguments, Func<TArguments, Task> call) =>
        Spans.IsTraced ? TraceAsync(method, arguments, async given =>
        {
            await call(given);
            return true;
        }).AsTask()
            : IsDown ? Task.FromException(new ServiceDownException(callee.Identity.Name))
            : call(arguments);

    private bool IsDown => down is { Run: not null } && down.Strikes();

    private async ValueTask<TAnswer> TraceAsync<TArguments, TAnswer>(
        string method, TArguments arguments, Func<TArguments, ValueTask<TAnswer>> call)
    {
        string name = $"{contract}/{method}";
        using Activity? client = Activity.Current!.Source.StartActivity(name, ActivityKind.Client);
        Describe(client, name)?.SetTag("peer.service", callee.Identity.Service);
        using Activity? server = callee.Traces.StartActivity(name, ActivityKind.Server);
        Describe(server, name);
        try
        {
            if (IsDown) throw new ServiceDownException(callee.Identity.Name);
            return await call(arguments);
        }
        catch (Exception exception)
        {
            Spans.Fail(server, exception);
            Spans.Fail(client, exception);
            throw;
        }
    }

    private static Activity? Describe(Activity? span, string name) =>
        span?.SetTag("rpc.system.name", "in_process").SetTag("rpc.method", name);
}
