using System.Collections.Concurrent;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Faults;
using Shop.Testing;

namespace Shop.Platform.Tests;

internal sealed class FaultSwitchTests
{
    [TestCase("slow_answers", 0.25, "/orders", "slow_answers 0.25 seconds on /orders until 21:05:09 UTC")]
    [TestCase("failing_answers", 0.1, null, "failing_answers 0.1 share until 21:05:09 UTC")]
    [TestCase("flash_crowd", 300, null, "flash_crowd 300 requests a second until 21:05:09 UTC")]
    [TestCase("memory_leak", 0.125, null, "memory_leak 0.125 MB a second until 21:05:09 UTC")]
    [TestCase("crash", 1, null, "crash", Description = "it has neither an amount nor an end")]
    public void Given_a_fault_that_runs_then_its_words_say_how_much_where_and_until_when(
        string name, double intensity, string? route, string words) =>
        Assert.That(new FaultRun(new FaultCatalogue().Of(name), "id", (decimal)intensity,
            new DateTimeOffset(2026, 3, 7, 23, 5, 9, 999, TimeSpan.FromHours(2)))
        { Route = route }.ToString(),
            Is.EqualTo(words));

    // Of 100,000, what strikes is nearly as many as the share says: 900 are more than five standard deviations.
    [TestCase(0.01)]
    [TestCase(0.1)]
    [TestCase(0.37)]
    [TestCase(0.5)]
    [TestCase(1)]
    public void Given_a_share_then_that_is_how_often_the_fault_strikes(double share)
    {
        const int Times = 100_000;
        var faults = new FaultCatalogue();
        Fault fault = faults.Of("failing_answers");
        Assert.That(fault.Strikes(), Is.False, "it does not run");
        faults.Set(fault, new FaultRun(fault, "id", (decimal)share, DateTimeOffset.MaxValue));
        Assert.That(Enumerable.Range(0, Times).Count(_ => fault.Strikes()),
            Is.EqualTo(share * Times).Within(share == 1 ? 0 : 900));
    }

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
