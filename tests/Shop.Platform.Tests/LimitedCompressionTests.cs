using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Http;

namespace Shop.Platform.Tests;

/// <summary>Compressed answers: for whoever takes them, and so many at a time.</summary>
internal sealed class LimitedCompressionTests
{
    private const int AtATime = 16;

    [Test]
    public async Task Given_more_answers_at_once_than_are_compressed_then_the_others_are_sent_as_they_are_and_later_ones_are_compressed_again()
    {
        await using ServiceProvider services = new ServiceCollection().AddLogging()
            .AddResponseCompression().BuildServiceProvider();
        RequestDelegate compress = LimitedCompression.Build(services);
        for (int round = 0; round < 3; round++)
        {
            var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var endpoint = new Endpoint(async http =>
            {
                await go.Task;
                http.Response.ContentType = "text/plain";
                await http.Response.WriteAsync(new string('a', 1000));
            }, EndpointMetadataCollection.Empty, "long");
            // An answer that fails has its place for no longer than another.
            var failing = new Endpoint(async _ =>
            {
                await go.Task;
                throw new InvalidOperationException("no");
            }, EndpointMetadataCollection.Empty, "failing");
            HttpContext[] requests = [.. Enumerable.Range(0, AtATime + 9).Select(_ => Request(services, endpoint))];
            Task[] answers = [compress(Request(services, failing)), .. requests.Select(http => compress(http))];
            go.SetResult();
            await Task.WhenAll(answers[1..]);
            Assert.That(async () => await answers[0], Throws.InvalidOperationException);
            Assert.That(requests.Select(http => http.Response.Headers.ContentEncoding.ToString()),
                Is.EqualTo(Enumerable.Range(1, requests.Length).Select(n => n < AtATime ? "gzip" : "")),
                $"round {round}");
        }
    }

    [TestCase("gzip", true)]
    [TestCase("br, gzip", true)]
    [TestCase("deflate,gzip", true)]
    [TestCase("gzip;q=0", false)]
    [TestCase("gzip; q=0, br", false)]
    [TestCase("x-gzip", false)]
    [TestCase("br", false)]
    [TestCase("", false)]
    public void Given_the_codings_that_a_client_names_then_gzip_is_among_them_or_not(string accepted, bool isNamed)
    {
        var http = new DefaultHttpContext();
        if (accepted.Length > 0) http.Request.Headers.AcceptEncoding = accepted;
        Assert.That(AcceptHeader.NamesEncoding(http.Request.Headers, "gzip"), Is.EqualTo(isNamed));
    }

    private static DefaultHttpContext Request(IServiceProvider services, Endpoint endpoint)
    {
        var http = new DefaultHttpContext { RequestServices = services };
        http.Request.Method = "GET";
        http.Request.Scheme = "http";
        http.Request.Headers.AcceptEncoding = "gzip";
        http.Response.Body = new MemoryStream();
        http.SetEndpoint(endpoint);
        return http;
    }
}
