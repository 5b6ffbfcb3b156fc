using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Shop.Platform.Http;
using Shop.Platform.Live;
using Shop.Platform.Modules;
using Shop.Testing;

namespace Shop.Platform.Tests;

/// <summary>Demo traffic on a clock that goes on only when it is told to.</summary>
internal sealed class DemoTrafficTests
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    [Test]
    public async Task Given_a_shop_that_does_not_answer_for_a_while_when_it_answers_again_then_it_gets_the_rate_and_no_more()
    {
        // Connections are made, but nobody accepts them.
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start(backlog: 500);
        var service = new Uri($"http://{silent.LocalEndpoint}");
        var clock = new ManualClock();
        using var log = new RecordedLog();
        int sent = 0;
        await using DemoTraffic traffic = To(service, clock, log, () => Interlocked.Increment(ref sent));
        traffic.Start(500, null);
        await clock.PassAsync(TimeSpan.FromSeconds(10));
        await Eventually.IsSoAsync(() => Volatile.Read(ref sent) == 100); // as many as may be under way
        silent.Stop();
        await Eventually.IsSoAsync(() => log.Of(LogLevel.Warning).Count == 100);

        // One that was due, and ten with each tick.
        for (int wanted = 111; wanted <= 131; wanted += 10)
        {
            await clock.PassAsync(Tick);
            await Eventually.IsSoAsync(() => Volatile.Read(ref sent) >= wanted);
            Assert.That(Volatile.Read(ref sent), Is.EqualTo(wanted));
        }
    }

    // By hand: three a second for ten seconds, then thirty. Two seconds later, the last five had 9 and 60.
    [Test]
    public async Task Given_a_rate_that_changes_then_what_was_wanted_is_that_of_the_last_five_seconds()
    {
        var clock = new ManualClock();
        using var log = new RecordedLog();
        int sent = 0;
        var nobody = new Uri("http://127.0.0.1:1");
        await using DemoTraffic traffic = To(nobody, clock, log, () => Interlocked.Increment(ref sent));
        traffic.Start(3, null);
        Assert.That((traffic.State!.Wanted, traffic.State.Answered), Is.EqualTo(((double?)null, (double?)null)));
        double?[] expected = [null, 3, 3, 3, 3, 3, 3, 3, 3, 3, 8.4, 13.8, 19.2, 24.6, 30, 30];
        int due = 0;
        for (int second = 1; second <= expected.Length; second++)
        {
            if (second == 11) traffic.Start(30, null);
            due += second < 11 ? 3 : 30;
            await clock.PassAsync(TimeSpan.FromSeconds(1));
            await Eventually.IsSoAsync(() => Volatile.Read(ref sent) == due && log.Of(LogLevel.Warning).Count == due);
            double? wanted = traffic.State!.Wanted;
            Assert.That(wanted is null ? wanted : Math.Round(wanted.Value, 3), Is.EqualTo(expected[second - 1]),
                $"{second} s");
        }

        Assert.That(traffic.State!.Answered, Is.Zero);
    }

    // It depends on chance: five standard deviations, of five kinds, are exceeded in about one of 350,000 runs.
    [Test]
    public async Task Given_kinds_of_requests_then_each_is_sent_as_often_as_its_weight_says_whichever_module_has_it()
    {
        const int Times = 80, AtOnce = 50; // half as many as may be under way
        int[][] weights = [[1, 4], [10], [2, 0, 3]];
        var sent = new ConcurrentDictionary<(int Module, int Kind), int>();
        var clock = new ManualClock();
        using var log = new RecordedLog();
        ShopSettings settings = TestSettings.Read(
            ("Shop:Products:Port", "1"), ("Shop:Orders:Port", "2"), ("Shop:Inventory:Port", "3")); // nobody is there
        ModuleListener[] listeners = [.. TestSettings.Modules.Select((identity, module) =>
        {
            var listener = new ModuleListener(new ModuleContext(identity, settings, clock, log));
            listener.DemoRequests.AddRange(weights[module].Select((weight, kind) => (weight, new Func<DemoRequest>(() =>
            {
                sent.AddOrUpdate((module, kind), 1, static (_, times) => times + 1);
                return new DemoRequest(HttpMethod.Get, "/");
            }))));
            return listener;
        })];
        await using var traffic = new DemoTraffic(listeners, clock, log);
        traffic.Start(AtOnce, null);
        for (int i = 1; i <= Times; i++)
        {
            await clock.PassAsync(TimeSpan.FromSeconds(1));
            await Eventually.IsSoAsync(() => log.Of(LogLevel.Warning).Count == i * AtOnce);
        }

        Assert.Multiple(() =>
        {
            for (int module = 0; module < weights.Length; module++)
            {
                for (int kind = 0; kind < weights[module].Length; kind++)
                {
                    double share = (double)weights[module][kind] / weights.Sum(kinds => kinds.Sum());
                    Assert.That(sent.GetValueOrDefault((module, kind)), Is.EqualTo(Times * AtOnce * share).Within(
                        5 * Math.Sqrt(Times * AtOnce * share * (1 - share))), $"{module}: {kind}");
                }
            }
        });
    }

    // Demo traffic that sends all its requests to one service.
    private static DemoTraffic To(Uri service, ManualClock clock, ILoggerFactory log, Action sending) =>
        new([], clock, log)
        {
            Source = () =>
            {
                sending();
                return (service, new DemoRequest(HttpMethod.Get, "/"));
            },
        };
}
