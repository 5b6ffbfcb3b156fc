using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Shop.Platform.Http;
using Shop.Platform.Requests;

namespace Shop.Platform.Tests;

internal sealed class PreconditionsTests
{
    private const int GoesOn = 0;

    [TestCase(null, null, GoesOn, GoesOn)]
    [TestCase("*", null, GoesOn, GoesOn)]
    [TestCase(" *\t", null, GoesOn, GoesOn)]
    [TestCase("\"a\"", null, GoesOn, GoesOn)]
    [TestCase("\"b\", \"a\"", null, GoesOn, GoesOn)]
    [TestCase("\"b\"|\"a\"", null, GoesOn, GoesOn, Description = "two lines are one list")]
    [TestCase("\"b\"", null, 412, 412)]
    [TestCase("\"b\"|\"c\"", null, 412, 412)]
    [TestCase("W/\"a\"", null, 412, 412, Description = "a weak tag is not known to be the same")]
    [TestCase("W/\"a\", \"a\"", null, GoesOn, GoesOn)]
    [TestCase("\"A\"", null, 412, 412)]
    [TestCase("\"a, b\"", null, 412, 412, Description = "a comma within a tag")]
    [TestCase(null, "*", 304, 412)]
    [TestCase(null, "\"a\"", 304, 412)]
    [TestCase(null, "W/\"a\"", 304, 412)]
    [TestCase(null, "\"b\", W/\"a\"", 304, 412)]
    [TestCase(null, "\"b\"|\"a\"", 304, 412)]
    [TestCase(null, "\"b\"", GoesOn, GoesOn)]
    [TestCase("\"b\"", "\"a\"", 412, 412, Description = "If-Match comes first")]
    [TestCase("\"a\"", "\"b\"", GoesOn, GoesOn)]
    [TestCase("\"a\"", "\"a\"", 304, 412)]
    [TestCase("*", "*", 304, 412)]
    [TestCase("nonsense", null, 412, 400)]
    [TestCase("a", null, 412, 400)]
    [TestCase("", null, 412, 400)]
    [TestCase("\"a\", *", null, GoesOn, 400)]
    [TestCase("\"b\", *", null, 412, 400)]
    [TestCase("w/\"a\"", null, 412, 412)]
    [TestCase(null, "nonsense", GoesOn, 400)]
    [TestCase(null, "a", GoesOn, 400)]
    [TestCase(null, "\"b\", *", GoesOn, 400)]
    public void Given_conditions_on_what_has_the_tag_a_then_a_read_and_a_change_are_answered_as_the_RFC_says(
        string? ifMatch, string? ifNoneMatch, int read, int change)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        if (ifMatch is not null) request.Headers.IfMatch = new StringValues(ifMatch.Split('|'));
        if (ifNoneMatch is not null) request.Headers.IfNoneMatch = new StringValues(ifNoneMatch.Split('|'));
        var faults = new ValidationErrors();
        var ofChange = Preconditions.Of(request, faults);
        Assert.Multiple(() =>
        {
            Assert.That(StatusOf(Preconditions.Of(request).RefuseRead("\"a\"", "thing", "x")),
                Is.EqualTo(read), "a read");
            Assert.That(faults.Any ? 400 : StatusOf(ofChange.RefuseChange("\"a\"", "thing", "x")),
                Is.EqualTo(change), "a change");
        });
    }

    private static int StatusOf(IResult? answer)
    {
        if (answer is null) return GoesOn;
        if (answer is Problem problem) return problem.Status;
        var http = new DefaultHttpContext();
        Assert.That(answer.ExecuteAsync(http).IsCompletedSuccessfully);
        Assert.That(http.Response.Headers.ETag, Is.EqualTo(new StringValues("\"a\"")));
        return http.Response.StatusCode;
    }
}
