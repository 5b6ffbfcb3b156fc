using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Shop.Platform.Http;
using Shop.Platform.Live;

namespace Shop.Platform.Tests;

/// <summary>What is logged and what is said to be left out add up to what happened.</summary>
internal sealed class FailureLogTests
{
    [Test]
    public void Given_more_failures_than_a_second_has_lines_for_then_each_kind_has_fifty_and_the_rest_are_counted()
    {
        // Within one second: a busy machine may need more than one try.
        for (int i = 0; i < 50; i++)
        {
            var said = new Said();
            var failures = new FailureLog(said);
            long second = Second();
            int refusals = Enumerable.Range(0, 73).Count(_ => failures.Take(isError: false) is not null);
            int faults = Enumerable.Range(0, 61).Count(_ => failures.Take(isError: true) is not null);
            int traces = Enumerable.Range(0, 9).Count(_ => failures.TakeTrace());
            if (Second() != second) continue;
            Assert.That((refusals, faults, traces, said.LeftOut.Count), Is.EqualTo((50, 50, 5, 0)));
            // The next second says how many there were, and begins anew.
            while (Second() == second) Thread.Yield();
            Assert.That(failures.Take(isError: false), Is.Not.Null);
            Assert.That(said.LeftOut, Is.EqualTo(new[] { 34 }));
            Assert.That(failures.TakeTrace(), Is.True);
            return;
        }

        Assert.Fail("No try came through within a second.");
    }

    [Test]
    public async Task Given_failures_of_many_threads_over_some_seconds_then_lines_and_those_left_out_add_up_to_all_of_them()
    {
        var said = new Said();
        var failures = new FailureLog(said);
        long start = Stopwatch.GetTimestamp();
        int[] counts = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            int happened = 0;
            for (; Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1.3); happened++)
            {
                if (failures.Take(isError: happened % 3 == 0) is { } log) log.LogInformation("A line");
            }

            return happened;
        })));
        long last = Second();
        while (Second() == last) await Task.Yield();
        failures.Take(isError: false)!.LogInformation("A line");
        // A failure that meets the end of a second may be counted on either side of it.
        Assert.That(said.Lines + said.LeftOut.Sum(), Is.EqualTo(counts.Sum() + 1).Within(4));
        Assert.That(said.Lines, Is.LessThanOrEqualTo(1 + (100 * ((int)Stopwatch.GetElapsedTime(start).TotalSeconds
            + 4))));
    }

    [TestCase('\0')]
    [TestCase('\n')]
    [TestCase('\x1f')]
    [TestCase('\x7f')]
    [TestCase('\x85')]
    [TestCase('\x9f')]
    public void Given_a_clients_text_with_a_control_character_then_its_line_has_none(char control)
    {
        var said = new Said();
        new FailureLog(said).Log(new DefaultHttpContext { Request = { Method = "GET", Path = "/products/x" } }.Request,
            new Problem(404, $"There is no product 'a{control}b'."), "trace");
        Assert.That(said.Last, Does.Contain("There is no product 'a\uFFFDb'.").And.Contain("(trace_id trace)"));
    }

    [Test]
    public void Given_a_refusal_an_outage_or_an_error_then_its_line_has_its_level_and_says_what_an_operator_needs()
    {
        var cause = new InvalidOperationException("the disk is full");
        Assert.Multiple(() =>
        {
            foreach (int status in new[] { 400, 404, 409, 412, 413, 429 })
            {
                Assert.That(Line(new Problem(status, "Refused.")),
                    Is.EqualTo((LogLevel.Information, "Refused.", (Exception?)null)), $"{status}");
            }

            Assert.That(Line(new Problem(503, "Down.") { Cause = cause }),
                Is.EqualTo((LogLevel.Warning, "Down. the disk is full", (Exception?)null)));
            Assert.That(Line(new Problem(503, "Down.")),
                Is.EqualTo((LogLevel.Warning, "Down.", (Exception?)null)));
            Assert.That(Line(new Problem(500, "Wrong.") { Cause = cause }),
                Is.EqualTo((LogLevel.Error, "Wrong.", (Exception?)cause)));
        });

        // Without a stack trace, the line says what went wrong.
        var said = new Said();
        var failures = new FailureLog(said);
        for (int i = 0; i == 0 || (i < 1000 && said.LastException is not null); i++)
            failures.Log(Request(), new Problem(500, "Wrong.") { Cause = cause }, "trace");
        Assert.That((said.LastLevel, said.LastException), Is.EqualTo((LogLevel.Error, (Exception?)null)));
        Assert.That(said.Last, Does.Contain("Wrong. the disk is full (trace_id trace)"));

        static (LogLevel, string, Exception?) Line(Problem problem)
        {
            var said = new Said();
            new FailureLog(said).Log(Request(), problem, "trace");
            Assert.That(said.Last, Does.StartWith($"GET /products/x answered {problem.Status}: ")
                .And.EndWith(" (trace_id trace)"));
            string text = said.Last!.Split(": ", 2)[1];
            return (said.LastLevel, text[..text.LastIndexOf(" (", StringComparison.Ordinal)], said.LastException);
        }
    }

    [Test]
    public async Task Given_demo_traffic_then_what_is_refused_to_it_has_no_line_but_what_the_shop_fails_to_answer_has()
    {
        using var service = new TcpListener(IPAddress.Loopback, 0);
        service.Start();
        var address = new Uri($"http://{service.LocalEndpoint}");
        await using var traffic = new DemoTraffic([], TimeProvider.System, NullLoggerFactory.Instance)
        {
            Source = () => (address, new DemoRequest(HttpMethod.Get, "/")),
        };
        traffic.Start(50, null);
        using TcpClient client = await service.AcceptTcpClientAsync();
        using var reader = new StreamReader(client.GetStream());
        HttpRequest request = Request();
        while (await reader.ReadLineAsync() is { Length: > 0 } line)
        {
            if (line.Split(": ", 2) is [var name, var value]) request.Headers[name] = value;
        }

        traffic.Stop();
        foreach ((int status, bool hasLine) in new[] { (400, false), (404, false), (429, false), (499, false),
            (500, true), (503, true) })
        {
            var said = new Said();
            new FailureLog(said).Log(request, new Problem(status, "No."), "trace");
            Assert.That(said.Lines, Is.EqualTo(hasLine ? 1 : 0), $"{status}");
        }
    }

    private static HttpRequest Request() =>
        new DefaultHttpContext { Request = { Method = "GET", Path = "/products/x" } }.Request;

    private static long Second() => Stopwatch.GetTimestamp() / Stopwatch.Frequency;

    private sealed class Said : ILogger
    {
        private readonly List<int> _leftOut = [];
        private int _lines;

        public int Lines => Volatile.Read(ref _lines);

        public string? Last { get; private set; }

        public LogLevel LastLevel { get; private set; }

        public Exception? LastException { get; private set; }

        public IReadOnlyList<int> LeftOut
        {
            get
            {
                lock (_leftOut) return [.. _leftOut];
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState,
            Exception?, string> formatter)
        {
            if (state is not IReadOnlyList<KeyValuePair<string, object?>> values
                || values.FirstOrDefault(value => value.Key == "LeftOut").Value is not int leftOut)
            {
                Interlocked.Increment(ref _lines);
                (Last, LastLevel, LastException) = (formatter(state, exception), logLevel, exception);
                return;
            }

            lock (_leftOut) _leftOut.Add(leftOut);
        }
    }
}
