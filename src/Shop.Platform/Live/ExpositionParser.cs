using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.WebUtilities;
using Shop.Platform.Http;

namespace Shop.Platform.Live;

/// <summary>Reads a registry's text, in the exposition format of Prometheus, for the console.</summary>
/// <param name="itemLabels">Series with one of these labels are not shown.</param>
/// <param name="own">The module's own business metrics.</param>
internal sealed partial class ExpositionParser(IEnumerable<string> itemLabels, IReadOnlyList<BusinessMetric> own)
{
    private readonly byte[][] _itemLabels = [.. itemLabels.Select(label => Encoding.UTF8.GetBytes($"{label}=\""))];
    private readonly (byte[] Name, byte[] Label)[] _own = [.. own.Select(figure =>
        (Encoding.UTF8.GetBytes(figure.Metric), Encoding.UTF8.GetBytes(figure.Label ?? "")))];

    /// <summary>Reads the counts for the charts, with hardly any allocation.</summary>
    public RequestCounts Totals(ReadOnlySpan<byte> text)
    {
        double requests = 0, succeeded = 0, redirected = 0, refused = 0, failed = 0, inProgress = 0, waiting = 0;
        var buckets = new SortedDictionary<double, double>();
        var commits = new SortedDictionary<double, double>();
        double[] ownSums = new double[_own.Length];
        List<string> faults = [];
        foreach (Range range in text.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[range];
            if (line.StartsWith("app_request_latency_seconds_bucket{"u8)) Add(buckets, line);
            else if (line.StartsWith("db_commit_seconds_bucket{"u8)) Add(commits, line);
            else if (line.StartsWith("app_requests_total{"u8))
            {
                requests += Value(line);
            }
            else if (line.StartsWith("http_requests_by_status_code_total{"u8))
            {
                ReadOnlySpan<byte> code = Label(line, "code=\""u8);
                if (RequestMetrics.IsFailure(code)) failed += Value(line);
                else if (code[0] >= (byte)'4') refused += Value(line);
                else if (code[0] == (byte)'3') redirected += Value(line);
                else succeeded += Value(line);
            }
            else if (line.StartsWith("app_requests_in_progress{"u8))
            {
                inProgress += Value(line);
            }
            else if (line.StartsWith("db_write_queue_depth{"u8))
            {
                waiting += Value(line);
            }
            else if (line.StartsWith("shop_fault_active{"u8) && Value(line) > 0)
            {
                faults.Add(Encoding.UTF8.GetString(Label(line, "fault=\""u8)));
            }

            for (int i = 0; i < ownSums.Length; i++)
            {
                if (IsOf(line, _own[i].Name) && line.IndexOf(_own[i].Label) >= 0) ownSums[i] += Value(line);
            }
        }

        return new RequestCounts(requests, refused, failed, buckets)
        {
            Succeeded = succeeded,
            Redirected = redirected,
            InProgress = inProgress,
            Waiting = waiting,
            Commits = commits,
            Own = ownSums,
            Faults = faults,
        };
    }

    /// <summary>The counts of each endpoint that has had requests.</summary>
    public static Dictionary<string, EndpointCounts> Endpoints(ReadOnlySpan<byte> text)
    {
        var endpoints = new Dictionary<string, EndpointCounts>(StringComparer.Ordinal);
        // Metrics come in any order, so those with requests are found first.
        foreach (Range range in text.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[range];
            if (line.StartsWith("app_requests_total{"u8) && Value(line) > 0)
                endpoints[Route(line)] = new EndpointCounts { Requests = Value(line) };
        }

        foreach (Range range in text.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[range];
            bool isFailure = line.StartsWith("app_requests_failed_total{"u8);
            if (!isFailure && !line.StartsWith("app_request_latency_seconds_bucket{"u8)) continue;
            if (endpoints.GetValueOrDefault(Route(line)) is not { } endpoint) continue;
            if (isFailure) endpoint.Failed = Value(line);
            else endpoint.Buckets.Add((Bound(line), Value(line)));
        }

        return endpoints;
    }

    /// <summary>Every figure that the console shows.</summary>
    public LiveSnapshot Everything(ReadOnlySpan<byte> text)
    {
        double requests = 0;
        var byCode = new SortedDictionary<string, double>(StringComparer.Ordinal);
        var byRoute = new Dictionary<string, double>(StringComparer.Ordinal);
        var figures = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (Range range in text.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[range];
            if (line.Length == 0 || line[0] == (byte)'#') continue;
            if (line.StartsWith("app_requests_total{"u8))
            {
                requests += Value(line);
                if (Value(line) == 0) continue;
                byRoute[Route(line)] = Value(line);
            }
            else if (line.StartsWith("http_requests_by_status_code_total{"u8))
            {
                if (Value(line) > 0) byCode[CodeName((int)Number(Label(line, "code=\""u8)))] = Value(line);
            }
            else if (IsFigure(line))
            {
                Match series = Series().Match(Encoding.UTF8.GetString(line[..line.LastIndexOf((byte)' ')]));
                string labels = ServiceLabel().Replace(series.Groups["labels"].Value, "").Trim(',');
                figures[$"{series.Groups["name"].Value} {labels}".TrimEnd()] = Value(line);
            }
        }

        return new LiveSnapshot(requests, byCode, byRoute, figures);
    }

    private static string Route(ReadOnlySpan<byte> line) => Encoding.UTF8.GetString(Label(line, "method=\""u8)) + " "
        + Encoding.UTF8.GetString(Label(line, "endpoint=\""u8));

    private static void Add(SortedDictionary<double, double> buckets, ReadOnlySpan<byte> line)
    {
        double bound = Bound(line);
        buckets[bound] = buckets.GetValueOrDefault(bound) + Value(line);
    }

    private static double Bound(ReadOnlySpan<byte> line)
    {
        ReadOnlySpan<byte> bound = Label(line, "le=\""u8);
        return bound.SequenceEqual("+Inf"u8) ? double.PositiveInfinity : Number(bound);
    }

    private static bool IsOf(ReadOnlySpan<byte> line, ReadOnlySpan<byte> metric) => line.StartsWith(metric)
        && line.Length > metric.Length && line[metric.Length] is (byte)'{' or (byte)' ';

    private static string CodeName(int code)
    {
        bool hasGone = code == RequestMetrics.ClientClosedRequest;
        string reason = hasGone ? "Client went away" : ReasonPhrases.GetReasonPhrase(code);
        return $"{code / 100}xx: {code} {reason}".TrimEnd();
    }

    // The charts show the request metrics; series for each item are too many.
    private bool IsFigure(ReadOnlySpan<byte> line)
    {
        ReadOnlySpan<byte> name = line[..line.IndexOfAny((byte)'{', (byte)' ')];
        return !name.StartsWith("app_"u8) && !name.StartsWith("http_"u8) && !name.StartsWith("exposed_"u8)
            && !name.StartsWith("shop_fault_"u8)
            && !name.EndsWith("_bucket"u8) && !name.EndsWith("_sum"u8) && !name.EndsWith("_count"u8)
            && !name.EndsWith("_limit"u8)
            && !HasItemLabel(line);
    }

    private bool HasItemLabel(ReadOnlySpan<byte> line)
    {
        foreach (byte[] label in _itemLabels)
        {
            if (line.IndexOf(label) >= 0) return true;
        }

        return false;
    }

    // Label and Value are not inlined: with a dozen copies of them, the compilation of a loop above takes megabytes,
    // and the C library does not give them back. They were 6 of the 96 MB of an idle shop.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ReadOnlySpan<byte> Label(ReadOnlySpan<byte> line, ReadOnlySpan<byte> start)
    {
        ReadOnlySpan<byte> rest = line[(line.IndexOf(start) + start.Length)..];
        return rest[..rest.IndexOf((byte)'"')];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static double Value(ReadOnlySpan<byte> line) => Number(line[(line.LastIndexOf((byte)' ') + 1)..]);

    private static double Number(ReadOnlySpan<byte> text) => double.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?<name>[^{]+)(\{(?<labels>.*)\})?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Series();

    [GeneratedRegex(",?service=\"[^\"]*\"", RegexOptions.None, 1000)]
    private static partial Regex ServiceLabel();
}

/// <summary>What the request metrics of a service have counted since its start.</summary>
/// <param name="Requests">Requests answered.</param>
/// <param name="Refused">Answers that refused what a client sent.</param>
/// <param name="Failed">Answers in which the shop failed.</param>
/// <param name="Buckets">Requests by their latency: the upper bound in seconds, and how many were no slower.</param>
internal sealed record RequestCounts(
    double Requests, double Refused, double Failed, SortedDictionary<double, double> Buckets)
{
    /// <summary>Answers with a 2xx.</summary>
    public double Succeeded { get; init; }

    /// <summary>Answers with a 3xx.</summary>
    public double Redirected { get; init; }

    /// <summary>Requests being worked on.</summary>
    public double InProgress { get; init; }

    /// <summary>Writes that wait for their commit.</summary>
    public double Waiting { get; init; }

    /// <summary>Commits by their time, as the requests by their latency.</summary>
    public SortedDictionary<double, double> Commits { get; init; } = [];

    /// <summary>The values of the module's own business metrics.</summary>
    public IReadOnlyList<double> Own { get; init; } = [];

    /// <summary>The faults that are switched on.</summary>
    public IReadOnlyList<string> Faults { get; init; } = [];
}
