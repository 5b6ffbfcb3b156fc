using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace Shop.Testing;

/// <summary>
/// The statuses that clients of one service saw. Each must have been counted: a metric that says another status
/// than the client got is no metric.
/// </summary>
internal sealed partial class SeenStatuses : DelegatingHandler
{
    private static readonly ConcurrentDictionary<string, SeenStatuses> ByAuthority = new(StringComparer.Ordinal);

    private readonly Func<Task<string>> _metrics;
    private readonly ConcurrentDictionary<string, SeenAnswer> _answers = new(StringComparer.Ordinal);
    private readonly int[] _seen = new int[600];
    private readonly IReadOnlyDictionary<int, double> _atStart;

    /// <param name="service">The name of the service.</param>
    /// <param name="address">Its address.</param>
    /// <param name="metrics">Reads its metrics.</param>
    /// <param name="atStart">The statuses that it had counted before.</param>
    public SeenStatuses(
        string service, Uri address, Func<Task<string>> metrics, IReadOnlyDictionary<int, double> atStart)
        : base(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false, // the baskets of tests that share a shop would become one
            AutomaticDecompression = System.Net.DecompressionMethods.None,
        })
    {
        Service = service;
        _metrics = metrics;
        _atStart = atStart;
        ByAuthority[address.Authority] = this;
    }

    /// <summary>The statuses that a service counts, and how often.</summary>
    public static async Task<IReadOnlyDictionary<int, double>> CountedAsync(Func<Task<string>> metrics) =>
        Counted().Matches(await metrics()).ToDictionary(
            match => int.Parse(match.Groups["code"].Value), match => double.Parse(match.Groups["value"].Value));

    /// <summary>Notes the answers that came over a socket.</summary>
    public static void Note(Uri address, string request, string answers)
    {
        if (!ByAuthority.TryGetValue(address.Authority, out SeenStatuses? seen)
            || request.Split(' ') is not [_, var target, ..] || !IsCounted(target))
        {
            return;
        }

        foreach (Match answer in StatusLine().Matches(answers))
            Interlocked.Increment(ref seen._seen[int.Parse(answer.Groups["code"].Value)]);
    }

    public string Service { get; }

    /// <summary>The answers that clients saw since they were taken the last time, each kind once.</summary>
    public IEnumerable<SeenAnswer> TakeAnswers()
    {
        foreach (string kind in _answers.Keys)
        {
            if (_answers.TryRemove(kind, out SeenAnswer? answer)) yield return answer;
        }
    }

    /// <summary>Holds what was seen against what was counted.</summary>
    public async Task CompareAsync()
    {
        IReadOnlyDictionary<int, double> counted = null!;
        // More may have been counted: clients that are not watched here, and those that had gone. A request is counted
        // when it has ended, which may be a moment after its client has read the answer; a count that is wrong is wrong
        // after each test, and none waits for it for long.
        await Eventually.IsAsync(
            async () =>
            {
                counted = await CountedAsync(_metrics);
                return _seen.Index().Where(each => each.Item > counted.GetValueOrDefault(each.Index))
                    .Select(each => $"{each.Index}: {each.Item}, counted {counted.GetValueOrDefault(each.Index)}");
            },
            Is.Empty, () => $"Clients of {Service} saw these more often than they were counted.",
            TimeSpan.FromSeconds(10));
        Assert.That(counted.Keys, Is.EquivalentTo(_atStart.Keys), $"Each status of {Service} is there from the start.");
    }

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage answer = await base.SendAsync(request, cancellationToken);
        var seen = new SeenAnswer(request, answer);
        _answers.TryAdd(seen.ToString(), seen);
        if (IsCounted(request.RequestUri!.PathAndQuery)) Interlocked.Increment(ref _seen[(int)answer.StatusCode]);
        return answer;
    }

    // Not what watches the service, nor streams; what is below such a path is counted, but it may be left out.
    private static bool IsCounted(string target) => !ExcludeFromRequestMetrics().IsMatch(target);

    [GeneratedRegex("""^http_requests_by_status_code_total\{code="(?<code>\d+)"[^}]*\} (?<value>\S+)$""",
        RegexOptions.ExplicitCapture | RegexOptions.Multiline, 60_000)]
    private static partial Regex Counted();

    [GeneratedRegex(@"HTTP/1\.[01] (?<code>\d{3}) ", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex StatusLine();

    [GeneratedRegex(@"^(https?://[^/]+)?/+(api/+)?(metrics|health|openapi|docs|live/events|board/events)",
        RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, 60_000)]
    private static partial Regex ExcludeFromRequestMetrics();
}
