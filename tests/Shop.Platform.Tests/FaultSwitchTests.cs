using System.Collections.Concurrent;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Faults;
using Shop.Testing;

namespace Shop.Platform.Tests;

internal sealed class FaultSwitchTests
{
    [Test]
    public async Task Given_a_fault_that_is_started_again_then_it_begins_once_the_effect_of_its_last_run_is_undone()
    {
        string directory = Directory.CreateTempSubdirectory("shop-faults-").FullName;
        ShopSettings settings = ShopSettings.Read(new ConfigurationBuilder()
            .AddInMemoryCollection([new("Shop:DataDirectory", directory)]).Build(), []);
        var faults = new FaultCatalogue();
        var traffic = new FaultTraffic([], TimeProvider.System, NullLoggerFactory.Instance);
        var switching = new FaultSwitch(faults, traffic, settings, TimeProvider.System, NullLoggerFactory.Instance);
        Fault fault = faults.Of("busy_processor"), other = faults.Of("memory_leak");
        var seen = new ConcurrentQueue<string>();
        var undo = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var others = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        fault.Effect = async (_, end) =>
        {
            seen.Enqueue("begins");
            await Task.Delay(Timeout.Infinite, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await undo.Task;
            seen.Enqueue("is undone");
        };
        other.Effect = (_, _) =>
        {
            others.TrySetResult();
            return Task.CompletedTask;
        };

        switching.Start(fault, 1, TimeSpan.FromHours(1));
        await Eventually.IsSoAsync(() => seen.Count == 1);
        switching.Start(fault, 1, TimeSpan.FromHours(1));
        // The other fault was started last and has begun. A second run that did not wait would have begun before it.
        switching.Start(other, 1, TimeSpan.FromHours(1));
        await others.Task;
        undo.SetResult();
        await Eventually.IsSoAsync(() => seen.Count >= 3);
        await switching.StoppingAsync(CancellationToken.None);
        Assert.That(seen, Is.EqualTo(new[] { "begins", "is undone", "begins", "is undone" }));
        Directory.Delete(directory, recursive: true);
    }
}
