using Microsoft.AspNetCore.Http;
using Shop.Platform.Http;

namespace Shop.Platform.Pages;

/// <summary>A form that a page posted. Only the shop's own pages may: a browser says in <c>Origin</c> whose page it is.</summary>
internal static class FormPost
{
    /// <summary>The answer to a form that is not taken; null where it is.</summary>
    public static ValueTask<IResult?> RefusalAsync(HttpContext http)
    {
        if (!http.Request.HasFormContentType)
            return Refused(StatusCodes.Status415UnsupportedMediaType, "This takes a form of the shop's own pages.");
        if (!Site.Of(http).Has(http.Request.Headers.Origin)) return Refused(StatusCodes.Status403Forbidden, "Only forms of the shop's own pages are taken.");
        return http.Request.ContentLength > Requests.RequestBody.MaxBytes ? Refused(StatusCodes.Status413PayloadTooLarge, "The form is larger than 64 KiB.") : default;
    }

    private static ValueTask<IResult?> Refused(int status, string why) => ValueTask.FromResult<IResult?>(new Problem(status, why));
}
